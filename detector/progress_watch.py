"""Finds partitions that have records and are not read: a fault of the client, not of the log.

kafka-python has had it more than once (issue 3131: a partition that moved in a rebalance was never
fetched again, silently).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streams.log import LogError, TopicPartition


class StuckPartitions(LogError):
    """Partitions that are not read; a new consumer reads them."""


@dataclass(slots=True)
class _Stand:
    position: int
    waited_s: float = 0.0


class ProgressWatch:
    """Positions of the partitions as they were at the last look."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._stands: dict[TopicPartition, _Stand] = {}
        self._looked_s = 0.0

    def look(
        self,
        positions: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
        *,
        room: bool,
        monotonic_s: float,
    ) -> list[TopicPartition]:
        """The partitions that are stuck.

        positions: of the partitions that are being read, not of those that are kept still.
        room: a poll since the last look could have given more records. While all are full, the
            others may just have to wait their turn.
        """
        passed_s = monotonic_s - self._looked_s if room else 0.0
        self._looked_s = monotonic_s
        stands: dict[TopicPartition, _Stand] = {}
        stuck = []
        for at, position in positions.items():
            stand = self._stands.get(at)
            if stand is None or stand.position != position or ends.get(at, 0) <= position:
                stands[at] = _Stand(position)
                continue
            stand.waited_s += passed_s
            stands[at] = stand
            if stand.waited_s >= self._limit_s:
                stuck.append(at)
        self._stands = stands
        return stuck

    def clear(self) -> None:
        """Forgets all, as after a new start."""
        self._stands.clear()
