"""Isolation forest on volume, as anomaly detection on usage metering is commonly done.

Liu, Ting, Zhou 2008, "Isolation forest" (ICDM).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from models.baselines.baseline import Baseline
from models.baselines.view import View


class VolumeForest(Baseline):
    """How early random cuts set the account's volumes apart."""

    name = "isolation forest on volume"
    paper = "Liu et al. 2008, ICDM"

    def __init__(self) -> None:
        self._forest = IsolationForest(random_state=0)

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """Learns benign volumes."""
        rows = [volumes(v) for v, label in zip(views, labels, strict=True) if not label]
        self._forest.fit(np.stack(rows))

    def score(self, view: View) -> float:
        """The forest's anomaly score."""
        return float(self.scores([view])[0])

    def scores(self, views: Sequence[View]) -> NDArray[np.float64]:
        """The same of many: one call costs as much as a thousand accounts in it."""
        rows = np.stack([volumes(v) for v in views])
        return -np.asarray(self._forest.score_samples(rows), np.float64)


def volumes(view: View) -> NDArray[np.float64]:
    """Rate, gaps, hours of the day and tokens of an account, shape (9,); unknown is 0."""
    times = np.sort(view.times_s[~np.isnan(view.times_s)])
    gaps = np.log1p(np.diff(times)) if len(times) > 1 else np.zeros(1)
    hours = np.bincount((times // 3600 % 24).astype(int), minlength=24) / max(len(times), 1)
    busy = hours[hours > 0]
    tokens = [view.input_tokens, view.output_tokens]
    sums = [np.log1p(np.nan_to_num(t).sum()) for t in tokens]
    spreads = [np.log1p(np.nan_to_num(t)).std() for t in tokens]
    span_s = float(np.ptp(times)) if len(times) else 0.0
    entropy = -float((busy * np.log(busy)).sum()) if len(busy) else 0.0
    return np.array(
        [np.log1p(span_s), gaps.mean(), gaps.std(), gaps.max(), entropy, *sums, *spreads]
    )
