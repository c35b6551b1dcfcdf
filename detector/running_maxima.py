"""Each account's largest score over its scoring points: what calibration rests on.

An account is looked at again and again, and one look is enough for an alarm; so a p-value compares
a score with the largest that each benign account ever had, not with its last. Training fills the
model card's table and `stillwatch calibrate` an operator's with this one class.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detector.kernels import FIRST_POINT

COUNTED_FROM: Final = FIRST_POINT
"""Looks at an account before its first scoring point do not count: it is not yet judged by them."""


class RunningMaxima:
    """The largest score so far of every account, by its number from 0."""

    def __init__(self, most_requests: int | None = None) -> None:
        """`most_requests`: looks after more requests of the account are left out; None: none is."""
        self._most_requests = most_requests
        self._best = np.full(0, np.nan)

    def add(
        self,
        owner: NDArray[np.int64],
        requests: NDArray[np.int64],
        scores: NDArray[np.floating],
    ) -> None:
        """Looks at accounts; an account may be there several times.

        Args:
            owner: int64, shape (k,): the account's number.
            requests: int64, shape (k,): the account's requests at that look.
            scores: shape (k,): 0 to 1.
        """
        use = requests >= COUNTED_FROM
        if self._most_requests is not None:
            use &= requests <= self._most_requests
        self._grow(int(owner.max(initial=-1)) + 1)
        np.fmax.at(self._best, owner[use], scores[use].astype(np.float64))

    def values(self, n_accounts: int) -> NDArray[np.float64]:
        """The largest scores, shape (n_accounts,); NaN for accounts without a look that counts."""
        self._grow(n_accounts)
        return self._best[:n_accounts].copy()

    def _grow(self, size: int) -> None:
        if size > len(self._best):
            grown = np.full(max(size, 2 * len(self._best)), np.nan)
            grown[: len(self._best)] = self._best
            self._best = grown
