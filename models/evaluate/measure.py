"""Thresholds from calibration accounts, rates with bootstrap intervals over programs, AUC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Scores = NDArray[np.float64]
RULE_OF_THREE = 3.0
"""With no event among n programs a rate is below 3/n at 95 %: lower ones are "composed only"."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of accounts with its 95 % interval by resampling programs."""

    value: float
    low: float
    high: float
    accounts: int
    programs: int

    def row(self) -> dict[str, Any]:
        """As the report's JSON has it."""
        return {
            "value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)
        }  # fmt: skip


def threshold(calibration: Scores, rate: float) -> float | None:
    """The score that must be passed for a conformal p-value of at most `rate`.

    p = (1 + benign scores at or above) / (1 + benign scores), Vovk et al. 2005. None where so few
    accounts cannot state the rate.
    """
    allowed = int(np.floor(rate * (len(calibration) + 1) + 1e-9))
    if allowed < 1:
        return None
    return float(np.sort(calibration)[::-1][allowed - 1])


def p_values(calibration: Scores, scores: Scores) -> Scores:
    """Conformal p-values, shape (n,)."""
    table = np.sort(calibration)
    above = len(table) - np.searchsorted(table, scores, side="left")
    return np.asarray((1.0 + above) / (1.0 + len(table)), np.float64)


def share_above(
    scores: Scores, above: float, programs: Sequence[str], *, resamples: int, seed: int
) -> Rate:
    """Share of accounts whose score passes a threshold.

    The interval resamples programs with all their accounts (cluster bootstrap, percentiles).
    """
    return rate_of(scores > above, programs, resamples=resamples, seed=seed)


def rate_of(hit: NDArray[np.bool_], programs: Sequence[str], *, resamples: int, seed: int) -> Rate:
    """Share of accounts that are hit, see `share_above`."""
    if not len(hit):
        return Rate(float("nan"), float("nan"), float("nan"), 0, 0)
    _, at = np.unique(np.asarray(programs), return_inverse=True)
    sums = np.bincount(at, hit)
    counts = np.bincount(at)
    n = len(counts)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1.0 / n), resamples)
    rates = draws @ sums / np.maximum(draws @ counts, 1)
    low, high = np.quantile(rates, [0.025, 0.975])
    return Rate(float(hit.mean()), float(low), float(high), len(hit), n)


def auc(positive: Scores, negative: Scores) -> float:
    """Chance that a positive outscores a negative, ties half (Mann–Whitney); NaN if none."""
    if not len(positive) or not len(negative):
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))
    n, m = len(positive), len(negative)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))
