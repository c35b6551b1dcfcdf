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
LONGEST_S = 86_400.0
STEP_S = 10
CLOCK_S = 900
"""What begins right at a quarter of an hour was begun by a clock, as many jobs are."""

FIELDS = [
    ("pace_start", "u4"),  # beginning of the present stretch, seconds
    ("pace_last", "u4"),  # last event, milliseconds modulo 2^32 (49 days)
    ("pace_pause_s", "f4"),  # the last pause
    ("pace_mean", "f4"),  # of the logs of the pauses, the mean ...
    ("pace_m2", "f4"),  # ... and the sum of squares about it (Welford 1962)
    ("pace_n", "u2"),  # pauses in them
    ("pace_even", "u2"),  # even pauses in the present stretch
]

_PACING = np.uint64(141)


@njit(cache=True)
def update(row: Row, time_s: float, first: bool) -> bool:
    """Takes an event's time; whether it belongs to a stretch of EVEN even pauses."""
    now_ms = np.int64(np.rint(time_s * 1000.0))
    gone_ms = (now_ms - np.int64(row.pace_last)) & 0xFFFFFFFF
    row.pace_last = np.uint32(now_ms & 0xFFFFFFFF)
    pause = gone_ms / 1000.0  # of an event before the last one it is some weeks
    if not first and 0.0 < pause <= LONGEST_S:
        log_pause = np.log(pause)
        row.pace_n += np.uint16(row.pace_n < 65_535)
        away = log_pause - row.pace_mean
        row.pace_mean += np.float32(away / row.pace_n)
        row.pace_m2 += np.float32(away * (log_pause - row.pace_mean))
    if first or not LEAST_PAUSE_S <= pause <= LONGEST_S:
        row.pace_even = np.uint16(0)
        row.pace_pause_s = np.float32(0.0)
        row.pace_start = np.uint32(time_s)
        return False
    if abs(pause - row.pace_pause_s) <= 0.05 * row.pace_pause_s:
        row.pace_even += np.uint16(row.pace_even < 65_535)
    else:
        row.pace_even = np.uint16(1)
        row.pace_start = np.uint32(max(time_s - pause, 0.0))
    row.pace_pause_s = np.float32(pause)
    return row.pace_even >= EVEN and row.pace_start % CLOCK_S >= STEP_S


@njit(cache=True)
def pacing_key(row: Row, grid: int) -> np.uint64:
    """Link key of the present stretch on grid 0 or 1."""
    pause = np.uint64(np.int64(np.rint(np.log(row.pace_pause_s) / np.log(1.1)) + 100))
    step = np.uint64(np.int64(np.floor(row.pace_start / STEP_S + 0.5 * grid)))
    return combine(combine(combine(_PACING, np.uint64(grid)), step), pause)
