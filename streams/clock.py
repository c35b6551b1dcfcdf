"""The partition clock: what time it is in a partition, told from its records alone.

The clock is the largest event time that lies not more than an hour past its own record's
timestamp (design.md, "State"). So a client whose clock is years ahead moves nothing and evicts
nobody. It is a running maximum: the clock after each event is the same for every batch cut, and
no rounding takes part.

A record's timestamp is set by the producer or, with `message.timestamp.type=LogAppendTime`, by
the broker. Only the latter also guards against a producer whose own clock is wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_AHEAD_S = 3600.0
"""An event time further past its record's timestamp than this does not move the clock."""


@dataclass(frozen=True, slots=True)
class ClockedBatch:
    """What the clock says of a batch of n events, in log order.

    clock_s: float64[n], the clock after each event; -inf while no event could be trusted.
    late: bool[n], the event is older than the clock by more than the set lateness.
    ahead: bool[n], the event time is more than an hour past the record's timestamp.
    """

    clock_s: NDArray[np.float64]
    late: NDArray[np.bool_]
    ahead: NDArray[np.bool_]


class PartitionClock:
    """The clock of one partition. Its whole state is `now_s`, which a snapshot stores."""

    __slots__ = ("lateness_s", "now_s")

    def __init__(self, lateness_s: float = math.inf, now_s: float = -math.inf) -> None:
        """`lateness_s`: events older than the clock by more are late. `now_s`: resume here.

        Raises ValueError when `lateness_s` is negative or either is NaN.
        """
        if not lateness_s >= 0.0 or math.isnan(now_s):
            raise ValueError(f"lateness_s must be >= 0 and now_s a time: {lateness_s}, {now_s}")
        self.lateness_s = lateness_s
        self.now_s = now_s

    def advance(
        self, event_time_s: NDArray[np.float64], record_time_s: NDArray[np.float64]
    ) -> ClockedBatch:
        """Moves the clock over a batch and says, event by event, where it stood.

        event_time_s: float64[n], UTC epoch seconds; NaN where the event has no time.
        record_time_s: float64[n], the log's timestamps of the same records; a record without one
            (NaN, or negative as Kafka's -1) does not vouch for its event time.
        Raises ValueError when the shapes differ.
        """
        if event_time_s.ndim != 1 or event_time_s.shape != record_time_s.shape:
            raise ValueError(
                f"two vectors of one length needed: {event_time_s.shape}, {record_time_s.shape}"
            )
        limit = np.where(record_time_s >= 0.0, record_time_s + MAX_AHEAD_S, -np.inf)
        trusted = np.isfinite(event_time_s) & (event_time_s <= limit)
        steps = np.where(trusted, event_time_s, -np.inf)
        if steps.size:
            steps[0] = max(steps[0], self.now_s)
        clock_s = np.maximum.accumulate(steps)
        if clock_s.size:
            self.now_s = float(clock_s[-1])
        return ClockedBatch(
            clock_s=clock_s,
            late=event_time_s < clock_s - self.lateness_s,
            ahead=event_time_s > limit,
        )
