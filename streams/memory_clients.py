"""Clients of the in-process log: reader, group member, producer. `MemoryLog` makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from streams.log import (
    Evicted,
    Fenced,
    GroupMetadata,
    LogError,
    LogRecord,
    OutputRecord,
    RebalanceListener,
    TopicPartition,
    UnknownTopic,
)
from streams.memory_group import MemoryGroup
from streams.memory_store import MemoryStore


class MemoryReader:
    """Reads named partitions; implements `streams.log.LogReader`."""

    def __init__(self, store: MemoryStore, positions: dict[TopicPartition, int]) -> None:
        self._store = store
        self._positions = positions
        self._paused: frozenset[TopicPartition] = frozenset()
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> list[LogRecord]:
        if max_records < 1:
            raise ValueError(f"max_records must be at least 1, got {max_records}")
        with self._store.changed:
            records = self._poll_now(max_records)
            if not records and timeout_s > 0.0 and self._store.changed.wait(timeout_s):
                records = self._poll_now(max_records)
            return records

    def _poll_now(self, max_records: int) -> list[LogRecord]:
        if self._closed:
            raise LogError("this consumer is closed")
        return self._store.read(self._positions, self._paused, max_records)

    def positions(self) -> dict[TopicPartition, int]:
        return dict(self._positions)

    def end_offsets(self) -> dict[TopicPartition, int]:
        with self._store.changed:
            return {tp: self._store.partition_at(tp).end for tp in self._positions}

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
        store: MemoryStore,
        group: MemoryGroup,
        member_id: str,
        listener: RebalanceListener | None,
    ) -> None:
        super().__init__(store, {})
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
            raise Evicted(
                f"member {member!r} is no longer in group {group.group_id!r}: it was thrown out; "
                "join anew"
            )
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
            earliest = self._store.partition_at(tp).base
            self._positions[tp] = group.committed.get(tp, earliest)
        if lost or gained:
            self._store.changed.notify_all()
        if gained and self._listener is not None:
            self._listener.on_assigned(gained)

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._positions)

    def committed(self) -> dict[TopicPartition, int | None]:
        with self._store.changed:
            return {tp: self._group.committed.get(tp) for tp in self._positions}

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        with self._store.changed:
            self._store.commit(offsets, self.group_metadata())

    def group_metadata(self) -> GroupMetadata:
        return GroupMetadata(self._group.group_id, self._group.generation, self._member_id)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused |= frozenset(partitions) & self.assignment()

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused -= frozenset(partitions)

    def close(self) -> None:
        with self._store.changed:
            if not self._closed and self._member_id in self._group.members:
                self._group.leave(self._member_id)
                self._store.changed.notify_all()
            self._positions.clear()
            super().close()


class MemoryProducer:
    """Writes to the log; implements `streams.log.LogProducer`."""

    def __init__(self, store: MemoryStore, transactional_id: str | None, epoch: int) -> None:
        self._store = store
        self._transactional_id = transactional_id
        self._epoch = epoch

    def send(self, records: Iterable[OutputRecord]) -> None:
        if self._transactional_id is not None:
            raise LogError("a transactional producer writes by send_transaction only")
        for record in records:
            with self._store.changed:
                self._store.write([record])

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
        with self._store.changed:
            if self._store.epochs[self._transactional_id] != self._epoch:
                raise Fenced(f"a newer producer has the id {self._transactional_id!r}")
            if group is not None:
                self._store.check_commit(offsets, group)
            self._store.write(outputs)
            if group is not None:
                self._store.commit(offsets, group)

    def settle(self, group_id: str, partition: TopicPartition) -> None:
        if self._transactional_id is None:
            raise LogError("settle needs a producer with a transactional id")

    def close(self) -> None:
        """Nothing to release."""
