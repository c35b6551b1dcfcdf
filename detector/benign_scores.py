"""What a run over benign traffic leaves for a calibration: one number an account, no name."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from detector.outputs import Outputs
from detector.running_maxima import RunningMaxima


class BenignScores:
    """Collects the largest score of every account from a pipeline's outputs.

    The outputs must hold the quiet scorings too (`PartitionSettings.keep_quiet_scores`).

    Attributes:
        left_out: the accounts named to be left out that were seen, as "account", or
            "tenant/account".
    """

    def __init__(self, excluded: AbstractSet[str] = frozenset()) -> None:
        self._excluded = excluded
        self._numbers: dict[tuple[str, str], int] = {}
        self._maxima = RunningMaxima()
        self.left_out: set[str] = set()

    def add(self, out: Outputs) -> None:
        """Takes one batch's scorings of whole accounts."""
        owner, requests, scores = [], [], []
        for row in out.scores:
            if row.scope != "account":
                continue
            named = {row.account, f"{row.tenant}/{row.account}"} & self._excluded
            if named:
                self.left_out |= named
                continue
            key = (row.tenant, row.account)
            owner.append(self._numbers.setdefault(key, len(self._numbers)))
            requests.append(row.requests)
            scores.append(row.score)
        self._maxima.add(
            np.array(owner, np.int64), np.array(requests, np.int64), np.array(scores, np.float64)
        )

    def table(self) -> NDArray[np.float64]:
        """The largest scores of the accounts that count, ascending."""
        best = self._maxima.values(len(self._numbers))
        return np.sort(best[~np.isnan(best)])

    @property
    def too_short(self) -> int:
        """Accounts that never reached a scoring point: training leaves such out as well."""
        return len(self._numbers) - len(self.table())
