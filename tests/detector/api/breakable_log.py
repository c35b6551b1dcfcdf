"""A log that a test can break and mend, as a broker that goes away and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.log import LogError, LogReader, LogRecord, TopicPartition
from streams.memory_log import MemoryLog


class BreakableLog:
    """A `streams.log.Log`; while `broken` is true its readers raise and none can be made."""

    def __init__(self, log: MemoryLog) -> None:
        self.broken = False
        self._log = log

    def check(self) -> None:
        """Raises LogError while broken."""
        if self.broken:
            raise LogError("the broker does not answer")

    def partitions_for(self, topic: str) -> int:
        """As `Log`."""
        self.check()
        return self._log.partitions_for(topic)

    def reader(self, partitions: Sequence[TopicPartition]) -> LogReader:
        """As `Log`."""
        self.check()
        return _Reader(self, self._log.reader(partitions))

    def consumer(self, *args: Any, **named: Any) -> Any:
        """As `Log`; never broken."""
        return self._log.consumer(*args, **named)

    def producer(self, transactional_id: str | None = None) -> Any:
        """As `Log`; never broken."""
        return self._log.producer(transactional_id)


class _Reader:
    def __init__(self, log: BreakableLog, reader: LogReader) -> None:
        self._log, self._reader = log, reader

    def poll(self, max_records: int, timeout_s: float) -> list[LogRecord]:
        self._log.check()
        return self._reader.poll(max_records, timeout_s)

    def positions(self) -> dict[TopicPartition, int]:
        return self._reader.positions()

    def end_offsets(self) -> dict[TopicPartition, int]:
        self._log.check()
        return self._reader.end_offsets()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._reader.seek(partition, offset)

    def close(self) -> None:
        self._reader.close()
