"""The customary limit: requests within any 24 hours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.baselines.baseline import Baseline
from models.baselines.view import View

DAY_S = 86_400.0
LEAST_SPAN_S = 600.0


class RateLimit(Baseline):
    """Requests per day: over a window of first requests, their rate."""

    name = "requests per day"
    paper = "providers' usage limits"

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """Nothing is learnt."""

    def score(self, view: View) -> float:
        """Requests a day over the time that the view spans."""
        times = view.times_s[~np.isnan(view.times_s)]
        if len(times) < 2:
            return 0.0
        return float(len(times) / max(np.ptp(times), LEAST_SPAN_S) * DAY_S)
