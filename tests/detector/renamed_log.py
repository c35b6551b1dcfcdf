"""A log whose topics carry a prefix: tests share one broker, and the outputs have set names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from streams.log import (
    GroupMetadata,
    Log,
    LogConsumer,
    LogProducer,
    LogReader,
    LogRecord,
    OutputRecord,
    RebalanceListener,
    TopicPartition,
)

R = TypeVar("R", bound=LogReader)
V = TypeVar("V")


class _Names:
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def down(self, at: TopicPartition) -> TopicPartition:
        return TopicPartition(self.prefix + at.topic, at.partition)

    def up(self, at: TopicPartition) -> TopicPartition:
        return TopicPartition(at.topic.removeprefix(self.prefix), at.partition)

    def keys_up(self, found: Mapping[TopicPartition, V]) -> dict[TopicPartition, V]:
        return {self.up(at): value for at, value in found.items()}


class RenamedReader(Generic[R]):
    """A reader under a log's outer names."""

    def __init__(self, inner: R, names: _Names) -> None:
        self._inner, self._names = inner, names

    def poll(self, max_records: int, timeout_s: float) -> list[LogRecord]:
        cut = self._names.prefix
        return [
            replace(record, topic=record.topic.removeprefix(cut))
            for record in self._inner.poll(max_records, timeout_s)
        ]

    def positions(self) -> dict[TopicPartition, int]:
        return self._names.keys_up(self._inner.positions())

    def end_offsets(self) -> dict[TopicPartition, int]:
        return self._names.keys_up(self._inner.end_offsets())

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._inner.seek(self._names.down(partition), offset)

    def close(self) -> None:
        self._inner.close()


class RenamedConsumer(RenamedReader[LogConsumer]):
    """A member under a log's outer names."""

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(map(self._names.up, self._inner.assignment()))

    def committed(self) -> dict[TopicPartition, int | None]:
        return self._names.keys_up(self._inner.committed())

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._inner.commit({self._names.down(at): n for at, n in offsets.items()})

    def group_metadata(self) -> GroupMetadata:
        return self._inner.group_metadata()

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._inner.pause([*map(self._names.down, partitions)])

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._inner.resume([*map(self._names.down, partitions)])


class _Listener:
    def __init__(self, outer: RebalanceListener, names: _Names) -> None:
        self._outer, self._names = outer, names

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._outer.on_revoked([*map(self._names.up, partitions)])

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self._outer.on_assigned([*map(self._names.up, partitions)])


class RenamedProducer:
    """A producer under a log's outer names."""

    def __init__(self, inner: LogProducer, names: _Names) -> None:
        self._inner, self._names = inner, names

    def _down(self, records: Iterable[OutputRecord]) -> list[OutputRecord]:
        return [replace(r, topic=self._names.prefix + r.topic) for r in records]

    def send(self, records: Iterable[OutputRecord]) -> None:
        self._inner.send(self._down(records))

    def send_transaction(
        self,
        outputs: Sequence[OutputRecord],
        offsets: Mapping[TopicPartition, int],
        group: GroupMetadata | None = None,
    ) -> None:
        under = {self._names.down(at): n for at, n in offsets.items()}
        self._inner.send_transaction(self._down(outputs), under, group)

    def settle(self, group_id: str, partition: TopicPartition) -> None:
        self._inner.settle(self._names.prefix + group_id, self._names.down(partition))

    def close(self) -> None:
        self._inner.close()


class RenamedLog:
    """Implements `streams.log.Log` over another log."""

    def __init__(self, inner: Log, prefix: str) -> None:
        self._inner, self._names = inner, _Names(prefix)

    def partitions_for(self, topic: str) -> int:
        return self._inner.partitions_for(self._names.prefix + topic)

    def consumer(
        self,
        group_id: str,
        topics: Sequence[str],
        *,
        member_id: str,
        listener: RebalanceListener | None = None,
    ) -> RenamedConsumer:
        heard = None if listener is None else _Listener(listener, self._names)
        under = [self._names.prefix + topic for topic in topics]
        inner = self._inner.consumer(
            self._names.prefix + group_id, under, member_id=member_id, listener=heard
        )
        return RenamedConsumer(inner, self._names)

    def reader(self, partitions: Sequence[TopicPartition]) -> RenamedReader[LogReader]:
        inner = self._inner.reader([*map(self._names.down, partitions)])
        return RenamedReader(inner, self._names)

    def producer(self, transactional_id: str | None = None) -> RenamedProducer:
        name = None if transactional_id is None else self._names.prefix + transactional_id
        return RenamedProducer(self._inner.producer(name), self._names)
