"""False alarms of a simulated month stay within the interval of the budget that was set."""

from __future__ import annotations

import numpy as np
import pytest

from detector.budget import Budget
from models.simulated_month import conformal, month_interval, simulate_months
from tests.detector.runs import released


@pytest.mark.parametrize("per_day", [50.0, 15.0, 1.0])
def test_months_keep_to_the_budget(per_day: float) -> None:
    """30,000 benign accounts a month, 1,000 of them new each day, drawn from shipped scores that
    the calibration half does not hold: over 300 months the mean is the budget within four of its
    standard errors, and 95 % of the months, give or take chance, lie in the interval."""
    scores = released().scorer.card.calibration
    p = Budget(active_accounts_per_day=1000, throttle_per_day=per_day).p_value("throttle")
    assert p is not None
    each = np.arange(len(scores)).astype(str)
    found = simulate_months(scores, each, p, months=300, seed=7)
    assert found.budget <= 30 * per_day
    half = len(scores) // 2
    low, high = month_interval(p, half, len(scores) - half, 30_000)
    error = (high - low) / 3.92 / 300**0.5
    assert abs(found.mean - found.budget) <= 4.0 * error
    assert found.inside >= 0.95 - 4.0 * (0.95 * 0.05 / 300) ** 0.5


def test_accounts_that_are_not_benign_leave_the_interval() -> None:
    """A month that draws from other accounts than those that calibrate does not keep to it: the
    interval can be left."""
    table = np.linspace(0.0, 0.5, 1000)
    wilder = np.linspace(0.1, 0.6, 1000)
    alarms = (conformal(wilder, table) <= 0.02).mean() * 30_000
    low, high = month_interval(0.02, len(table), len(wilder), 30_000)
    assert low < 0.02 * 30_000 < high
    assert alarms > high


def test_the_interval_by_brute_force() -> None:
    """Against a simulation that knows only that scores are exchangeable."""
    rng = np.random.default_rng(2)
    counts = []
    for _ in range(4000):
        drawn = rng.random(150)
        table, pool = np.sort(drawn[:99]), drawn[99:]
        share = (conformal(pool, table) <= 0.1).mean()
        counts.append(rng.binomial(500, share))
    low, high = month_interval(0.1, 99, 51, 500)
    want_low, want_high = np.quantile(counts, [0.025, 0.975])
    assert abs(low - want_low) <= 4
    assert abs(high - want_high) <= 4
    assert month_interval(0.005, 99, 51, 500) == (0, 0)
