"""Pacing: requests at even pauses that began at the same moment, as one rate limit makes them.

A stretch of EVEN pauses, each within a twentieth of the one before, gives two keys: its pause, in
steps of a tenth, with its beginning in steps of STEP_S on either of two grids, so that two
beginnings a few seconds apart share one.

False friend: jobs started by the clock (every full hour, every night): a beginning within STEP_S
after a full quarter of an hour gives no key. And CI runners on one trigger.
"""

from __future__ import annotations

import numpy as np

from detector.features.row import Row
from detector.hashing import combine
from streams.jit import njit

FAMILY = "pacing"
KINDS = ("pacing",)
FALSE_FRIEND = "jobs started by the clock, CI runners on one trigger"

EVEN = 6
LEAST_PAUSE_S = 0.5
STEP_S = 10.0
CLOCK_S = 900.0
"""What begins right at a quarter of an hour was begun by a clock, as many jobs are."""

FIELDS = [
    ("pace_start_s", "f8"),  # beginning of the present stretch
    ("pace_last_s", "f8"),
    ("pace_pause_s", "f4"),  # the last pause
    ("pace_even", "u4"),  # even pauses in the present stretch
    ("pace_n", "u4"),  # pauses between requests, and of their logs ...
    ("pace_mean", "f4"),  # ... the mean ...
    ("pace_m2", "f4"),  # ... and the sum of squares about it (Welford 1962)
]

_PACING = np.uint64(141)


@njit(cache=True)
def update(row: Row, time_s: float, first: bool) -> bool:
    """Takes an event's time; whether it belongs to a stretch of EVEN even pauses."""
    pause = time_s - row.pace_last_s
    row.pace_last_s = time_s
    if not first and pause > 0.0:
        log_pause = np.log(pause)
        row.pace_n += np.uint32(1)
        away = log_pause - row.pace_mean
        row.pace_mean += np.float32(away / row.pace_n)
        row.pace_m2 += np.float32(away * (log_pause - row.pace_mean))
    if first or not LEAST_PAUSE_S <= pause <= 86_400.0:
        row.pace_even = np.uint32(0)
        row.pace_pause_s = np.float32(0.0)
        row.pace_start_s = time_s
        return False
    if abs(pause - row.pace_pause_s) <= 0.05 * row.pace_pause_s:
        row.pace_even += np.uint32(1)
    else:
        row.pace_even = np.uint32(1)
        row.pace_start_s = time_s - pause
    row.pace_pause_s = np.float32(pause)
    return row.pace_even >= EVEN and row.pace_start_s % CLOCK_S >= STEP_S


@njit(cache=True)
def pacing_key(row: Row, grid: int) -> np.uint64:
    """Link key of the present stretch on grid 0 or 1."""
    pause = np.uint64(np.int64(np.rint(np.log(row.pace_pause_s) / np.log(1.1)) + 100))
    step = np.uint64(np.int64(np.floor(row.pace_start_s / STEP_S + 0.5 * grid)))
    return combine(combine(combine(_PACING, np.uint64(grid)), step), pause)
