"""Text anomaly in the manner of DATE: how unlikely an account's words are among benign ones.

Manolache et al. 2021, "DATE: Detecting anomalies in text via self-supervision of transformers". The
transformer's pseudo-likelihood is replaced by that of a smoothed n-gram model of benign prompts;
the account's score is the mean over its prompts, as in arXiv 2606.05725.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.baselines.baseline import Baseline
from models.baselines.view import BUCKETS, View


class Date(Baseline):
    """Mean surprise of n-grams, in nats."""

    name = "DATE-like text anomaly"
    paper = "Manolache et al. 2021, arXiv 2104.05591"

    def __init__(self) -> None:
        self._surprise = np.zeros(BUCKETS)

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """Share of benign prompts that hold each n-gram, one added."""
        count = np.zeros(BUCKETS)
        total = 0
        for view, label in zip(views, labels, strict=True):
            if not label:
                count += np.bincount(view.bags.indices, minlength=BUCKETS)
                total += len(view)
        self._surprise = -np.log((count + 1.0) / (total + 2.0))

    def score(self, view: View) -> float:
        """Mean over the prompts of the mean over their n-grams."""
        bags = view.bags
        grams = np.diff(bags.indptr)
        at = np.repeat(np.arange(len(view)), grams)
        sums = np.bincount(at, self._surprise[bags.indices], minlength=len(view))
        return float((sums[grams > 0] / grams[grams > 0]).mean()) if (grams > 0).any() else 0.0
