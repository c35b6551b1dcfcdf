"""SEAT, adapted: near-duplicate pairs among an account's prompts.

Zhang et al. 2021, "SEAT: Similarity encoder by adversarial training for detecting model extraction
attack queries" (AISec '21): an encoder finds pairs of similar queries, an account with many of them
is stopped. Adapted to text: similar is what only one in 10,000 benign pairs is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.baselines.baseline import Baseline, benign_pool
from models.baselines.view import View

RARE = 1e-4
SAME = 0.9999
"""Above this cosine two prompts are one text sent again: a retry, no new query."""


class Seat(Baseline):
    """Share of pairs above a cosine that benign strangers hardly reach."""

    name = "SEAT, adapted"
    paper = "Zhang et al. 2021, AISec"

    def __init__(self) -> None:
        self._near = 1.0

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """The cosine that RARE pairs of benign prompts pass."""
        pool = benign_pool(views, labels, seed=3, most=2000)
        cosine = (pool @ pool.T)[np.triu_indices(len(pool), 1)]
        self._near = min(float(np.quantile(cosine, 1.0 - RARE)), SAME - 1e-3)

    def score(self, view: View) -> float:
        """Share of near but not equal pairs."""
        n = len(view)
        if n < 2:
            return 0.0
        cosine = (view.embeddings @ view.embeddings.T)[np.triu_indices(n, 1)]
        return float(((cosine >= self._near) & (cosine < SAME)).mean())
