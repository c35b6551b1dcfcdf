"""Kernel two-sample test over prompt embeddings, the best published detector.

arXiv 2606.05725: unbiased multi-bandwidth RBF MMD² of an account's window against 20 reference
draws of the same size from benign prompts; the mean over the draws is the score. Gretton et al.
2012, "A kernel two-sample test", equation 3, for the unbiased estimate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.baselines.baseline import Baseline, benign_pool
from models.baselines.view import View

DRAWS = 20
LONG, LONG_DRAWS = 256, 4
"""Windows longer than LONG are compared with so many draws: the cost is quadratic."""

WIDEST = 4.0
"""Bandwidths are 1/4, 1/2, 1, 2 and 4 times the median squared distance."""


class Mmd(Baseline):
    """The unbiased MMD² of a window and benign draws."""

    name = "MMD two-sample test"
    paper = "arXiv 2606.05725"

    def __init__(self) -> None:
        self._pool = np.zeros((0, 0), np.float32)
        self._scale = 1.0
        self._draws: dict[int, list[tuple[NDArray[np.float32], float]]] = {}

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """Keeps benign prompts and the median squared distance between them."""
        self._pool = benign_pool(views, labels, seed=1)
        some = self._pool[:1000]
        squared = _squared(some, some)
        self._scale = float(np.median(squared[np.triu_indices(len(some), 1)])) or 1.0
        self._draws = {}

    def score(self, view: View) -> float:
        """Mean MMD² over the draws."""
        x = view.embeddings
        m = len(x)
        if m < 2:
            return 0.0
        within = _off_diagonal(self._kernel(x, x))
        found = [
            within + own - 2.0 * float(self._kernel(x, draw).mean())
            for draw, own in self._references(m)
        ]
        return float(np.mean(found))

    def _references(self, m: int) -> list[tuple[NDArray[np.float32], float]]:
        if m not in self._draws:
            rng = np.random.default_rng([2, m])
            made = []
            for _ in range(LONG_DRAWS if m > LONG else DRAWS):
                draw = self._pool[rng.integers(0, len(self._pool), m)]
                made.append((draw, _off_diagonal(self._kernel(draw, draw))))
            self._draws[m] = made
        return self._draws[m]

    def _kernel(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean of the five Gaussian kernels: each bandwidth halved squares the one before."""
        widest = np.exp(-_squared(a, b) / np.float32(WIDEST * self._scale))
        total = widest.copy()
        for _ in range(4):
            widest *= widest
            total += widest
        return np.asarray(total / 5.0, np.float32)


def _squared(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    inner = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    return np.asarray(np.maximum(inner, 0.0), np.float32)


def _off_diagonal(kernel: NDArray[np.float32]) -> float:
    m = len(kernel)
    return float((kernel.sum(dtype=np.float64) - np.trace(kernel)) / (m * (m - 1)))
