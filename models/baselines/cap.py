"""CAP, adapted: how much of the embedding space an account covers.

"Coverage-aware perturbation" (OpenReview dOS3e1kC5u): signed random projections cut the space into
2,048 buckets; new buckets, their number and the spread of the queries make the cost. Here the cost
is the score: buckets hit over those that so many draws would hit by chance, times the spread.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.baselines.baseline import Baseline
from models.baselines.view import DIMENSIONS, View

PLANES = 11


class Cap(Baseline):
    """Coverage times spread."""

    name = "CAP, adapted"
    paper = "OpenReview dOS3e1kC5u"

    def __init__(self) -> None:
        self._planes = np.random.default_rng(11).normal(size=(DIMENSIONS, PLANES))
        self._centre = np.zeros(DIMENSIONS)

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """The benign centre that the planes go through."""
        benign = [v.embeddings.mean(axis=0) for v, y in zip(views, labels, strict=True) if not y]
        self._centre = np.mean(benign, axis=0)

    def score(self, view: View) -> float:
        """Coverage ratio times spread, in [0, about 1]."""
        bits = (view.embeddings - self._centre) @ self._planes > 0.0
        bucket = bits @ (1 << np.arange(PLANES))
        size = 1 << PLANES
        expected = size * (1.0 - (1.0 - 1.0 / size) ** len(view))
        spread = np.sqrt(max(0.0, 1.0 - float((view.embeddings.mean(axis=0) ** 2).sum())))
        return float(len(np.unique(bucket)) / max(expected, 1.0) * spread)
