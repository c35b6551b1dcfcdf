"""False alarms in a simulated month of benign accounts, against the budget that was set.

Accounts are drawn with replacement from benign accounts that neither training nor calibration saw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from detector.budget import alarm_rate

MONTH_ACCOUNTS = 30_000
"""Different benign accounts of a month."""


@dataclass(frozen=True, slots=True)
class Months:
    """Many simulated months, each with a split of its own into calibration and held-out accounts.

    Attributes:
        budget: expected alarms of a month, at most.
        mean: alarms of a month, averaged.
        inside: share of months within the 95 % interval of `month_interval`.
        months: their number.
    """

    budget: float
    mean: float
    inside: float
    months: int


def conformal(scores: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values of scores against a calibration table, ascending; as `Scorer.p_values`."""
    above = len(table) - np.searchsorted(table, scores, side="left")
    result: NDArray[np.float64] = np.asarray((1.0 + above) / (1.0 + len(table)), np.float64)
    return result


def simulate_months(
    scores: NDArray[np.float64],
    units: NDArray[np.str_],
    p_value: float,
    *,
    accounts: int = MONTH_ACCOUNTS,
    months: int = 200,
    seed: int,
) -> Months:
    """Months of `accounts` benign accounts, judged at `p_value`.

    For each month half of the `units` calibrate and accounts of the other half are drawn. With one
    unit an account, splits are as the p-value assumes; with one unit a program, calibration has
    seen nothing of what the month's accounts run.

    Args:
        scores: float64, shape (a,), held-out scores of benign accounts. units: shape (a,).
    """
    rng = np.random.default_rng(seed)
    names, unit = np.unique(units, return_inverse=True)
    alarms, expected, inside = [], [], []
    for _ in range(months):
        calibrating = np.isin(unit, rng.permutation(len(names))[: len(names) // 2])
        table, pool = np.sort(scores[calibrating]), scores[~calibrating]
        share = float((conformal(pool, table) <= p_value).mean())
        found = int(rng.binomial(accounts, share))
        low, high = month_interval(p_value, len(table), len(pool), accounts)
        alarms.append(found)
        expected.append(alarm_rate(p_value, len(table)) * accounts)
        inside.append(low <= found <= high)
    return Months(float(np.mean(expected)), float(np.mean(alarms)), float(np.mean(inside)), months)


def month_interval(
    p_value: float, calibration: int, pool: int, accounts: int, level: float = 0.95
) -> tuple[int, int]:
    """Alarms of a month that keeps to its budget, an interval of probability `level`.

    Of `pool` held-out accounts a beta-binomial number is alarmed, since the threshold is the k-th
    of n exchangeable scores (Vovk 2012, "Conditional validity of inductive conformal predictors");
    the month draws from them with replacement.
    """
    k = round(alarm_rate(p_value, calibration) * (calibration + 1))
    if k == 0:
        return 0, 0
    alarmed = np.arange(pool + 1)
    weight = stats.betabinom.pmf(alarmed, pool, k, calibration + 1 - k)
    use = weight > 1e-12

    def below(count: int) -> float:
        mixed = stats.binom.cdf(count, accounts, alarmed[use] / pool)
        return float((weight[use] * mixed).sum())

    tail = (1.0 - level) / 2.0
    return _smallest(lambda c: below(c) >= tail, accounts), _smallest(
        lambda c: below(c) >= 1.0 - tail, accounts
    )


def _smallest(holds: Callable[[int], bool], most: int) -> int:
    """The smallest count from which `holds`, by bisection."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
