"""Rate shape: how requests follow each other, whatever their speed.

threat.md section 7, features 15-17. Shape is invariant to the scale of time; absolute rates and
the shape of the day stay unknown until there are 24 hours of history.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features.row import Row
from streams.jit import njit

NAME = "rate"

DAY_S = 86_400.0
BUSY_HOUR = 20.0
"""Requests in one hour that count as full use (threat.md feature 17, without a plan limit)."""

FIELDS = [
    ("first_s", "f8"),
    ("last_s", "f8"),
    ("created_s", "f8"),  # account creation, NaN where the log has none
    ("busy_s", "f8"),  # when an hour first held BUSY_HOUR requests, NaN before
    ("hour_at", "i8"),
    ("hour_n", "f4"),
    ("gap_w", "f4"),
    ("gap", "f8"),  # sums over gaps, in seconds
    ("gap2", "f8"),
    ("lgap_base", "f4"),  # the first log gap; the others are counted from it
    ("lgap", "f4"),  # sums over log gaps
    ("lgap2", "f4"),
    ("lgap_prev", "f4"),
    ("lgap_cross", "f4"),
    ("lgap_cross_w", "f4"),
    ("day_bins", "f4", (24,)),
    ("idle_best", "f4"),  # longest idle gap, seconds
]

FEATURES = (
    "gap_regularity",
    "log_gap_spread",
    "gap_autocorrelation",
    "day_flatness",
    "longest_idle_h",
    "requests_per_day",
    "ramp_h",
)

_LN_24 = np.log(24.0)


@njit(cache=True)
def update_event(row: Row, e: Row, w: float, first: bool) -> None:
    """Adds one request's time. Late ones were sorted out before."""
    t = e.time_s
    if first:
        row.first_s = t
        row.last_s = t
        row.created_s = e.created_s
        row.busy_s = np.nan
        row.lgap_prev = np.float32(np.nan)
        row.lgap_base = np.float32(np.nan)
    else:
        gap = max(t - row.last_s, 0.0)
        lgap = np.float32(np.log(gap + 0.01))
        if np.isnan(row.lgap_base):
            row.lgap_base = lgap
        lgap -= row.lgap_base  # else the unit of time would leak into the autocorrelation
        row.gap_w += np.float32(w)
        row.gap += w * gap
        row.gap2 += w * gap * gap
        row.lgap += np.float32(w * lgap)
        row.lgap2 += np.float32(w * lgap * lgap)
        if not np.isnan(row.lgap_prev):
            row.lgap_cross += np.float32(w * lgap * row.lgap_prev)
            row.lgap_cross_w += np.float32(w)
        row.lgap_prev = lgap
        if gap > row.idle_best:
            row.idle_best = np.float32(gap)
        row.last_s = max(row.last_s, t)
    if not np.isnan(e.created_s) and np.isnan(row.created_s):
        row.created_s = e.created_s
    hour = np.int64(t // 3600.0)
    row.day_bins[hour % 24] += np.float32(w)
    if hour != row.hour_at:
        row.hour_at = hour
        row.hour_n = np.float32(0.0)
    row.hour_n += np.float32(1.0)
    if row.hour_n >= BUSY_HOUR and np.isnan(row.busy_s):
        row.busy_s = t


@njit(cache=True)
def read(row: Row, n: int, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[:] = np.nan
    if row.gap_w > 0.0 and n >= 5:
        mean = row.gap / row.gap_w
        sd = np.sqrt(max(row.gap2 / row.gap_w - mean * mean, 0.0))
        if sd + mean > 0.0:
            out[0] = (sd - mean) / (sd + mean)
        lmean = row.lgap / row.gap_w
        lvar = max(row.lgap2 / row.gap_w - lmean * lmean, 0.0)
        out[1] = np.sqrt(lvar)
        if row.lgap_cross_w > 0.0 and lvar > 1e-6:
            r = (row.lgap_cross / row.lgap_cross_w - lmean * lmean) / lvar
            out[2] = min(max(r, -1.0), 1.0)
    span = row.last_s - row.first_s
    if span >= DAY_S:
        total = 0.0
        for b in range(24):
            total += row.day_bins[b]
        entropy = 0.0
        for b in range(24):
            p = row.day_bins[b] / total
            if p > 0.0:
                entropy -= p * np.log(p)
        out[3] = entropy / _LN_24
        out[4] = np.log1p(row.idle_best / 3600.0)
        out[5] = np.log1p(n * DAY_S / span)
        if not np.isnan(row.created_s) and not np.isnan(row.busy_s):
            out[6] = np.log1p(max(row.busy_s - row.created_s, 0.0) / 3600.0)
