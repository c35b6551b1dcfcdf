"""What every baseline keeps to: fit on the training accounts, score an account's first requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.baselines.view import View


class Baseline(Protocol):
    """One published or customary detector.

    The threshold is not its business: it is set on benign calibration accounts, for all alike.

    Attributes:
        name: as the report prints it.
        paper: where it is from.
    """

    name: str
    paper: str

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """Learns from training accounts; labels are 1 for extraction, shape (len(views),)."""
        ...

    def score(self, view: View) -> float:
        """How suspicious an account is by its requests; larger is worse, never NaN."""
        ...

    def scores(self, views: Sequence[View]) -> NDArray[np.float64]:
        """`score` of each, shape (len(views),)."""
        return np.array([self.score(view) for view in views], np.float64)


def benign_pool(
    views: Sequence[View], labels: NDArray[np.int8], seed: int, most: int = 20_000
) -> NDArray[np.float32]:
    """Embeddings of benign prompts in random order, shape (at most `most`, DIMENSIONS)."""
    benign = [v.embeddings for v, label in zip(views, labels, strict=True) if not label]
    rows = np.concatenate(benign)
    return np.asarray(rows[np.random.default_rng(seed).permutation(len(rows))[:most]], np.float32)
