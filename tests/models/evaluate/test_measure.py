"""Thresholds, intervals and ranks are what their definitions say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluate.measure import auc, p_values, rate_of, threshold

SCORES = st.lists(st.integers(0, 20), min_size=1, max_size=60).map(
    lambda values: np.array(values, np.float64)
)


@given(SCORES, st.integers(-1, 21), st.sampled_from([0.5, 0.2, 0.1, 0.05]))
def test_threshold_is_the_p_value(
    calibration: np.ndarray[tuple[int], np.dtype[np.float64]], score: int, rate: float
) -> None:
    """A score passes the threshold exactly where its conformal p-value is at most the rate."""
    limit = threshold(calibration, rate)
    p = p_values(calibration, np.array([score], np.float64))[0]
    if limit is None:
        assert p > rate
    else:
        assert (score > limit) == (p <= rate + 1e-9)


def test_a_rate_that_cannot_be_stated() -> None:
    """99 accounts state a hundredth, 98 do not."""
    assert threshold(np.arange(99.0), 0.01) == 98.0
    assert threshold(np.arange(98.0), 0.01) is None


def test_interval_resamples_programs_not_accounts() -> None:
    """A hundred accounts of two programs say little, of a hundred programs much; both the same
    rate."""
    hit = np.repeat([True, False], 50)
    few = rate_of(hit, [f"p{i // 50}" for i in range(100)], resamples=500, seed=1)
    many = rate_of(hit, [f"p{i}" for i in range(100)], resamples=500, seed=1)
    assert few.value == many.value == 0.5
    assert (few.low, few.high, few.programs) == (0.0, 1.0, 2)
    assert 0.35 < many.low < 0.5 < many.high < 0.65


def test_auc_counts_ties_half() -> None:
    """Against pairs counted one by one."""
    a, b = np.array([1.0, 2.0, 3.0, -np.inf]), np.array([2.0, 0.0])
    pairs = [(x > y) + 0.5 * (x == y) for x in a for y in b]
    assert auc(a, b) == pytest.approx(np.mean(pairs))
