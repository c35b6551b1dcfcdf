"""Mahalanobis distance of prompts to the benign ones.

Lee et al. 2018, "A simple unified framework for detecting out-of-distribution samples and
adversarial attacks", with one benign class, as the comparison in arXiv 2606.05725 has it: an
account's score is the mean over its prompts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.baselines.baseline import Baseline, benign_pool
from models.baselines.view import DIMENSIONS, View

RIDGE = 1e-3


class Mahalanobis(Baseline):
    """Mean squared Mahalanobis distance."""

    name = "Mahalanobis"
    paper = "Lee et al. 2018, arXiv 1807.03888"

    def __init__(self) -> None:
        self._mean = np.zeros(DIMENSIONS)
        self._precision = np.eye(DIMENSIONS)

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """Mean and ridged covariance of benign prompts."""
        pool = benign_pool(views, labels, seed=2).astype(np.float64)
        self._mean = pool.mean(axis=0)
        cov = np.cov(pool, rowvar=False)
        self._precision = np.linalg.inv(cov + RIDGE * np.trace(cov) / DIMENSIONS * np.eye(len(cov)))

    def score(self, view: View) -> float:
        """Mean over the prompts."""
        d = view.embeddings - self._mean
        return float(np.einsum("ij,jk,ik->i", d, self._precision, d).mean())
