"""What the in-process log holds: topics, partitions, groups; writing and reading them.

Its clients (`streams.memory_clients`) hold `changed` while they call; a write is all or nothing.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Literal

from streams.log import (
    Evicted,
    Fenced,
    GroupMetadata,
    LogError,
    LogFull,
    LogRecord,
    OffsetOutOfRange,
    OutputRecord,
    RecordRefused,
    TopicPartition,
    UnknownTopic,
)
from streams.memory_group import MemoryGroup
from streams.partitioner import partition_for

_Entry = tuple[int, LogRecord, TopicPartition]
"""Sequence number over the whole log, the record, and its partition."""

_MAX_TIME_S = 253_402_300_800.0
"""Year 10000; a timestamp outside 1970 to here is refused, as no reader could print it."""


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """How a topic is made.

    max_records: bound of each partition; None is unbounded.
    when_full: "raise" keeps every record until each group that reads the topic committed past
        it, and raises LogFull when there is no room; "drop_oldest" keeps the newest records.
    max_record_bytes: key and value together; None is unbounded (Kafka: max.message.bytes).
    """

    partitions: int = 1
    max_records: int | None = None
    when_full: Literal["raise", "drop_oldest"] = "raise"
    max_record_bytes: int | None = None


class _Partition:
    """Entries from offset `base` on, oldest first."""

    __slots__ = ("base", "entries")

    def __init__(self) -> None:
        self.base = 0
        self.entries: list[_Entry] = []

    @property
    def end(self) -> int:
        return self.base + len(self.entries)

    def drop_before(self, offset: int) -> None:
        count = min(max(offset - self.base, 0), len(self.entries))
        del self.entries[:count]
        self.base += count

    def walk(self, offset: int) -> Iterator[_Entry]:
        for i in range(offset - self.base, len(self.entries)):
            yield self.entries[i]


class MemoryStore:
    """The state of one log.

    `changed` guards all of it and is notified on every write and rebalance. `groups` by group id;
    `epochs` the newest producer of each transactional id.
    """

    def __init__(self) -> None:
        self._settings: dict[str, TopicSettings] = {}
        self._partitions: dict[TopicPartition, _Partition] = {}
        self.groups: dict[str, MemoryGroup] = {}
        self.epochs: dict[str, int] = {}
        self._sequence = 0
        self._keyless = 0
        self.changed = threading.Condition(threading.RLock())

    def create_topic(self, topic: str, settings: TopicSettings) -> None:
        """Makes a topic. Raises LogError when it exists, ValueError for bounds below 1."""
        bounds = (settings.partitions, settings.max_records, settings.max_record_bytes)
        if any(bound is not None and bound < 1 for bound in bounds):
            raise ValueError(f"bounds of topic {topic!r} must be at least 1: {settings}")
        with self.changed:
            if topic in self._settings:
                raise LogError(f"topic {topic!r} exists already", topic=topic)
            self._settings[topic] = settings
            for number in range(settings.partitions):
                self._partitions[TopicPartition(topic, number)] = _Partition()

    def settings_of(self, topic: str) -> TopicSettings:
        settings = self._settings.get(topic)
        if settings is None:
            raise UnknownTopic(f"topic {topic!r} does not exist", topic=topic)
        return settings

    def partition_at(self, tp: TopicPartition) -> _Partition:
        partition = self._partitions.get(tp)
        if partition is None:
            raise UnknownTopic(
                f"topic {tp.topic!r} has no partition {tp.partition}",
                topic=tp.topic,
                partition=tp.partition,
            )
        return partition

    def _place(self, output: OutputRecord) -> TopicPartition:
        """Partition of a record that may be written. Raises UnknownTopic, RecordRefused."""
        settings = self.settings_of(output.topic)
        if not 0.0 <= output.timestamp_s < _MAX_TIME_S:
            raise RecordRefused(
                f"timestamp_s {output.timestamp_s} is not a time from 1970 on", topic=output.topic
            )
        size = len(output.key or b"") + len(output.value or b"")
        if settings.max_record_bytes is not None and size > settings.max_record_bytes:
            raise RecordRefused(
                f"record of {size} bytes, topic {output.topic!r} takes {settings.max_record_bytes}",
                topic=output.topic,
            )
        if output.partition is not None:
            tp = TopicPartition(output.topic, output.partition)
            self.partition_at(tp)
            return tp
        key = output.key if output.partition_key is None else output.partition_key
        if key is None:
            # Kafka spreads keyless records by chance; in turn is as even, and repeatable.
            number = self._keyless % settings.partitions
            self._keyless += 1
        else:
            number = partition_for(key, settings.partitions)
        return TopicPartition(output.topic, number)

    def _make_room(self, tp: TopicPartition, count: int) -> None:
        """Drops what may be dropped so that `count` records fit. Raises LogFull."""
        settings, partition = self._settings[tp.topic], self._partitions[tp]
        if settings.max_records is None:
            return
        surplus = len(partition.entries) + count - settings.max_records
        if surplus <= 0:
            return
        if settings.when_full == "raise":
            readers = [group for group in self.groups.values() if group.reads(tp)]
            done = min((group.committed.get(tp, 0) for group in readers), default=0)
            partition.drop_before(done)
            if len(partition.entries) + count > settings.max_records:
                raise LogFull(
                    f"partition {tp.partition} of topic {tp.topic!r} holds its "
                    f"{settings.max_records} records and its readers have not committed them",
                    topic=tp.topic,
                    partition=tp.partition,
                    offset=partition.end,
                )

    def write(self, outputs: Sequence[OutputRecord]) -> None:
        """All or nothing; the caller holds the lock."""
        keyless = self._keyless
        try:
            places = [self._place(output) for output in outputs]
            counts = Counter(places)
            for tp, count in counts.items():
                self._make_room(tp, count)
        except LogError:
            self._keyless = keyless
            raise
        for output, tp in zip(outputs, places, strict=True):
            partition = self._partitions[tp]
            record = LogRecord(
                topic=tp.topic,
                partition=tp.partition,
                offset=partition.end,
                key=output.key,
                value=output.value or b"",
                timestamp_s=round(output.timestamp_s * 1000.0) / 1000.0,
                headers=output.headers,
                tombstone=output.value is None,
            )
            partition.entries.append((self._sequence, record, tp))
            self._sequence += 1
        for tp in counts:
            settings, partition = self._settings[tp.topic], self._partitions[tp]
            if settings.max_records is not None and settings.when_full == "drop_oldest":
                partition.drop_before(partition.end - settings.max_records)
        self.changed.notify_all()

    def commit(self, offsets: Mapping[TopicPartition, int], group: GroupMetadata) -> None:
        self.check_commit(offsets, group)
        self.groups[group.group_id].committed.update(offsets)

    def check_commit(self, offsets: Mapping[TopicPartition, int], group: GroupMetadata) -> None:
        """Raises Fenced unless the member owns every partition (Evicted where it is no member),
        OffsetOutOfRange past the end."""
        for tp, offset in offsets.items():
            known = self.groups.get(group.group_id)
            if known is None or known.owners.get(tp) != group.member_id:
                member = known is not None and group.member_id in known.members
                raise (Fenced if member else Evicted)(
                    f"member {group.member_id!r} does not own partition {tp.partition} of "
                    f"{tp.topic!r} in group {group.group_id!r}",
                    topic=tp.topic,
                    partition=tp.partition,
                    offset=offset,
                )
            if not 0 <= offset <= self.partition_at(tp).end:
                raise OffsetOutOfRange(
                    f"offset {offset} is not in the log, which ends at {self.partition_at(tp).end}",
                    topic=tp.topic,
                    partition=tp.partition,
                    offset=offset,
                )

    def read(
        self, positions: dict[TopicPartition, int], paused: frozenset[TopicPartition], limit: int
    ) -> list[LogRecord]:
        """Up to `limit` records in the order they were written; moves `positions`."""
        walks: list[Iterator[_Entry]] = []
        for tp, position in positions.items():
            partition = self.partition_at(tp)
            if tp in paused or position == partition.end:
                continue
            if not partition.base <= position < partition.end:
                raise OffsetOutOfRange(
                    f"position {position} is not in the log ({partition.base} to {partition.end})",
                    topic=tp.topic,
                    partition=tp.partition,
                    offset=position,
                )
            walks.append(partition.walk(position))
        merged = walks[0] if len(walks) == 1 else heapq.merge(*walks, key=itemgetter(0))
        entries = list(islice(merged, limit))
        for _, record, tp in entries:
            positions[tp] = record.offset + 1
        return [record for _, record, _ in entries]
