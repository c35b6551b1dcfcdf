"""SEAT, adapted: near-duplicate pairs among an account's prompts.

Zhang et al. 2021, "SEAT: Similarity encoder by adversarial training for detecting model extraction
attack queries" (AISec '21): an encoder finds pairs of similar queries, an account with many of them
is stopped. Adapted to text: how similar is chosen where it tells the training accounts apart best,
which is more than the original asks for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from models.baselines.baseline import Baseline
from models.baselines.view import View

CANDIDATES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)

SAME = 0.9999
"""Above this cosine two prompts are one text sent again: a retry, no new query."""


class Seat(Baseline):
    """Share of pairs above a cosine."""

    name = "SEAT, adapted"
    paper = "Zhang et al. 2021, AISec"

    def __init__(self) -> None:
        self._near = CANDIDATES[-1]

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """The cosine at which near pairs tell the training accounts apart best."""
        found = np.array([[_near_share(v, c) for c in CANDIDATES] for v in views])
        pull = [
            rankdata(found[:, k])[labels == 1].mean() - rankdata(found[:, k])[labels == 0].mean()
            for k in range(len(CANDIDATES))
        ]
        self._near = CANDIDATES[int(np.argmax(pull))]

    def score(self, view: View) -> float:
        """Share of near but not equal pairs."""
        return _near_share(view, self._near)


def _near_share(view: View, near: float) -> float:
    n = len(view)
    if n < 2:
        return 0.0
    cosine = (view.embeddings @ view.embeddings.T)[np.triu_indices(n, 1)]
    return float(((cosine >= near) & (cosine < SAME)).mean())
