"""The in-process log: Kafka's behaviour in one process, for demo, replay, traffic and tests.

Deterministic: `poll` returns records in the order they were written, over all partitions, so the
sequence does not depend on how it is cut. Partitions are chosen by Kafka's partitioner, times are
kept in whole milliseconds, groups rebalance cooperatively (a partition moves after its owner gave
it up in `poll`). Writes are atomic under one lock, so whatever is seen is committed.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Literal

from streams.log import (
    Fenced,
    GroupMetadata,
    LogError,
    LogFull,
    LogRecord,
    OffsetOutOfRange,
    OutputRecord,
    RebalanceListener,
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


class MemoryLog:
    """Topics, groups and producers of one process; implements `streams.log.Log`."""

    def __init__(self) -> None:
        self._settings: dict[str, TopicSettings] = {}
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._groups: dict[str, MemoryGroup] = {}
        self._epochs: dict[str, int] = {}
        self._sequence = 0
        self._keyless = 0
        self._changed = threading.Condition(threading.RLock())

    def create_topic(self, topic: str, settings: TopicSettings | None = None) -> None:
        """Makes a topic. Raises LogError when it exists, ValueError for bounds below 1."""
        settings = TopicSettings() if settings is None else settings
        bounds = (settings.partitions, settings.max_records, settings.max_record_bytes)
        if any(bound is not None and bound < 1 for bound in bounds):
            raise ValueError(f"bounds of topic {topic!r} must be at least 1: {settings}")
        with self._changed:
            if topic in self._settings:
                raise LogError(f"topic {topic!r} exists already", topic=topic)
            self._settings[topic] = settings
            for number in range(settings.partitions):
                self._partitions[TopicPartition(topic, number)] = _Partition()

    def partitions_for(self, topic: str) -> int:
        return self._settings_of(topic).partitions

    def consumer(
        self,
        group_id: str,
        topics: Sequence[str],
        *,
        member_id: str,
        listener: RebalanceListener | None = None,
    ) -> MemoryConsumer:
        """As `Log.consumer`. Raises LogError when the group has a member of that name."""
        with self._changed:
            wanted = [
                TopicPartition(topic, number)
                for topic in topics
                for number in range(self.partitions_for(topic))
            ]
            group = self._groups.setdefault(group_id, MemoryGroup(group_id))
            group.join(member_id, wanted)
            return MemoryConsumer(self, group, member_id, listener)

    def reader(self, partitions: Sequence[TopicPartition]) -> MemoryReader:
        with self._changed:
            return MemoryReader(self, {tp: self._partition(tp).base for tp in partitions})

    def producer(self, transactional_id: str | None = None) -> MemoryProducer:
        with self._changed:
            epoch = 0
            if transactional_id is not None:
                epoch = self._epochs.get(transactional_id, -1) + 1
                self._epochs[transactional_id] = epoch
            return MemoryProducer(self, transactional_id, epoch)

    def expire_member(self, group_id: str, member_id: str) -> None:
        """What the broker does when a member is silent past its session timeout (for tests)."""
        with self._changed:
            self._groups[group_id].leave(member_id)
            self._changed.notify_all()

    def _settings_of(self, topic: str) -> TopicSettings:
        settings = self._settings.get(topic)
        if settings is None:
            raise UnknownTopic(f"topic {topic!r} does not exist", topic=topic)
        return settings

    def _partition(self, tp: TopicPartition) -> _Partition:
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
        settings = self._settings_of(output.topic)
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
            self._partition(tp)
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
            readers = [group for group in self._groups.values() if group.reads(tp)]
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

    def _write(self, outputs: Sequence[OutputRecord]) -> None:
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
        self._changed.notify_all()

    def _commit(self, offsets: Mapping[TopicPartition, int], group: GroupMetadata) -> None:
        self._check_commit(offsets, group)
        self._groups[group.group_id].committed.update(offsets)

    def _check_commit(self, offsets: Mapping[TopicPartition, int], group: GroupMetadata) -> None:
        """Raises Fenced unless the member owns every partition, OffsetOutOfRange past the end."""
        for tp, offset in offsets.items():
            known = self._groups.get(group.group_id)
            if known is None or known.owners.get(tp) != group.member_id:
                raise Fenced(
                    f"member {group.member_id!r} does not own partition {tp.partition} of "
                    f"{tp.topic!r} in group {group.group_id!r}",
                    topic=tp.topic,
                    partition=tp.partition,
                    offset=offset,
                )
            if not 0 <= offset <= self._partition(tp).end:
                raise OffsetOutOfRange(
                    f"offset {offset} is not in the log, which ends at {self._partition(tp).end}",
                    topic=tp.topic,
                    partition=tp.partition,
                    offset=offset,
                )

    def _read(
        self, positions: dict[TopicPartition, int], paused: frozenset[TopicPartition], limit: int
    ) -> list[LogRecord]:
        """Up to `limit` records in the order they were written; moves `positions`."""
        walks: list[Iterator[_Entry]] = []
        for tp, position in positions.items():
            partition = self._partition(tp)
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


class MemoryReader:
    """Reads named partitions; implements `streams.log.LogReader`."""

    def __init__(self, log: MemoryLog, positions: dict[TopicPartition, int]) -> None:
        self._log = log
        self._positions = positions
        self._paused: frozenset[TopicPartition] = frozenset()
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> list[LogRecord]:
        if max_records < 1:
            raise ValueError(f"max_records must be at least 1, got {max_records}")
        with self._log._changed:
            records = self._poll_now(max_records)
            if not records and timeout_s > 0.0 and self._log._changed.wait(timeout_s):
                records = self._poll_now(max_records)
            return records

    def _poll_now(self, max_records: int) -> list[LogRecord]:
        if self._closed:
            raise LogError("this consumer is closed")
        return self._log._read(self._positions, self._paused, max_records)

    def positions(self) -> dict[TopicPartition, int]:
        return dict(self._positions)

    def end_offsets(self) -> dict[TopicPartition, int]:
        with self._log._changed:
            return {tp: self._log._partition(tp).end for tp in self._positions}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self._positions:
            raise UnknownTopic(
                f"partition {partition.partition} of {partition.topic!r} is not read here",
                topic=partition.topic,
                partition=partition.partition,
                offset=offset,
            )
        self._positions[partition] = offset

    def close(self) -> None:
        self._closed = True


class MemoryConsumer(MemoryReader):
    """A group's member; implements `streams.log.LogConsumer`."""

    def __init__(
        self,
        log: MemoryLog,
        group: MemoryGroup,
        member_id: str,
        listener: RebalanceListener | None,
    ) -> None:
        super().__init__(log, {})
        self._group = group
        self._member_id = member_id
        self._listener = listener

    def _poll_now(self, max_records: int) -> list[LogRecord]:
        if not self._closed:
            self._rebalance()
        return super()._poll_now(max_records)

    def _rebalance(self) -> None:
        """Gives up what moves elsewhere, then takes what has become free."""
        group, member = self._group, self._member_id
        if member not in group.members:
            self._positions.clear()
            raise Fenced(f"member {member!r} is no longer in group {group.group_id!r}")
        lost = group.to_revoke(member)
        if lost:
            if self._listener is not None:
                self._listener.on_revoked(lost)
            group.revoke(lost)
            self._paused -= frozenset(lost)
            for tp in lost:
                del self._positions[tp]
        gained = group.claim(member)
        for tp in gained:
            earliest = self._log._partition(tp).base
            self._positions[tp] = group.committed.get(tp, earliest)
        if lost or gained:
            self._log._changed.notify_all()
        if gained and self._listener is not None:
            self._listener.on_assigned(gained)

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._positions)

    def committed(self) -> dict[TopicPartition, int | None]:
        with self._log._changed:
            return {tp: self._group.committed.get(tp) for tp in self._positions}

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        with self._log._changed:
            self._log._commit(offsets, self.group_metadata())

    def group_metadata(self) -> GroupMetadata:
        return GroupMetadata(self._group.group_id, self._group.generation, self._member_id)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused |= frozenset(partitions) & self.assignment()

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused -= frozenset(partitions)

    def close(self) -> None:
        with self._log._changed:
            if not self._closed and self._member_id in self._group.members:
                self._group.leave(self._member_id)
                self._log._changed.notify_all()
            self._positions.clear()
            super().close()


class MemoryProducer:
    """Writes to the log; implements `streams.log.LogProducer`."""

    def __init__(self, log: MemoryLog, transactional_id: str | None, epoch: int) -> None:
        self._log = log
        self._transactional_id = transactional_id
        self._epoch = epoch

    def send(self, records: Iterable[OutputRecord]) -> None:
        if self._transactional_id is not None:
            raise LogError("a transactional producer writes by send_transaction only")
        for record in records:
            with self._log._changed:
                self._log._write([record])

    def send_transaction(
        self,
        outputs: Sequence[OutputRecord],
        offsets: Mapping[TopicPartition, int],
        group: GroupMetadata | None = None,
    ) -> None:
        if self._transactional_id is None:
            raise LogError("send_transaction needs a producer with a transactional id")
        if offsets and group is None:
            raise LogError("input offsets need the metadata of their group")
        with self._log._changed:
            if self._log._epochs[self._transactional_id] != self._epoch:
                raise Fenced(f"a newer producer has the id {self._transactional_id!r}")
            if group is not None:
                self._log._check_commit(offsets, group)
            self._log._write(outputs)
            if group is not None:
                self._log._commit(offsets, group)

    def close(self) -> None:
        """Nothing to release."""
