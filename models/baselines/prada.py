"""PRADA, adapted: distances between an account's prompts that are not those of natural queries.

Juuti et al. 2019, "PRADA: Protecting against DNN model stealing attacks" (arXiv 1805.02628): the
distance of each query to the nearest earlier one is normal for benign clients; a Shapiro-Wilk
statistic W below a threshold is an attack. Adapted to text as in arXiv 2606.05725: one class, and W
is compared with its benign distribution.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import shapiro

from models.baselines.baseline import Baseline
from models.baselines.view import View

LEAST = 8
TRIM = 3.0


class Prada(Baseline):
    """1 − W of the nearest distances."""

    name = "PRADA, adapted"
    paper = "Juuti et al. 2019, arXiv 1805.02628"

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """Nothing is learnt: the threshold alone is."""

    def score(self, view: View) -> float:
        """1 − W, 0 with fewer than LEAST distances or none that differ."""
        if len(view) < LEAST + 1:
            return 0.0
        cosine = view.embeddings @ view.embeddings.T
        cosine[np.triu_indices(len(view))] = -1.0
        nearest = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * cosine[1:].max(axis=1)))
        kept = nearest[np.abs(nearest - nearest.mean()) <= TRIM * nearest.std() + 1e-9]
        if len(kept) < LEAST or np.ptp(kept) < 1e-6:
            return 0.0
        return float(1.0 - shapiro(kept.astype(np.float64)).statistic)
