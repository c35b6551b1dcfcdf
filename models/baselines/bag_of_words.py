"""A bag of words under logistic regression: the baseline that is stronger than it looks.

Joachims 1998, "Text categorization with support vector machines", made linear bags the standard;
here the mean n-gram bag of an account's prompts and scikit-learn's LogisticRegression.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression

from models.baselines.baseline import Baseline
from models.baselines.view import BUCKETS, View

STRENGTH = 30.0


class BagOfWords(Baseline):
    """Log-odds of the mean bag. The one baseline that is told which training accounts extract."""

    name = "bag of words"
    paper = "Joachims 1998"

    def __init__(self) -> None:
        self._weights = np.zeros(BUCKETS)
        self._bias = 0.0

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """Logistic regression over both classes, balanced."""
        head = LogisticRegression(
            C=STRENGTH, class_weight="balanced", solver="liblinear", random_state=0, tol=1e-3
        )
        head.fit(vstack([csr_matrix(v.bags.mean(axis=0)) for v in views]), labels)
        self._weights, self._bias = head.coef_[0], float(head.intercept_[0])

    def score(self, view: View) -> float:
        """Mean over the prompts, plus the bias."""
        return float((view.bags @ self._weights).mean()) + self._bias
