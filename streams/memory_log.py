"""The in-process log: Kafka's behaviour in one process, for demo, replay, traffic and tests.

Deterministic: `poll` returns records in the order they were written, over all partitions, so the
sequence does not depend on how it is cut. Partitions are chosen by Kafka's partitioner, times are
kept in whole milliseconds, groups rebalance cooperatively (a partition moves after its owner gave
it up in `poll`). Writes are atomic under one lock, so whatever is seen is committed.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.log import RebalanceListener, TopicPartition
from streams.memory_clients import MemoryConsumer, MemoryProducer, MemoryReader
from streams.memory_group import MemoryGroup
from streams.memory_store import MemoryStore, TopicSettings


class MemoryLog:
    """Makes topics and clients; implements `streams.log.Log`."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def create_topic(self, topic: str, settings: TopicSettings | None = None) -> None:
        """Makes a topic. Raises LogError when it exists, ValueError for bounds below 1."""
        self._store.create_topic(topic, TopicSettings() if settings is None else settings)

    def partitions_for(self, topic: str) -> int:
        return self._store.settings_of(topic).partitions

    def consumer(
        self,
        group_id: str,
        topics: Sequence[str],
        *,
        member_id: str,
        listener: RebalanceListener | None = None,
    ) -> MemoryConsumer:
        """As `Log.consumer`. Raises LogError when the group has a member of that name."""
        with self._store.changed:
            wanted = [
                TopicPartition(topic, number)
                for topic in topics
                for number in range(self.partitions_for(topic))
            ]
            group = self._store.groups.setdefault(group_id, MemoryGroup(group_id))
            group.join(member_id, wanted)
            return MemoryConsumer(self._store, group, member_id, listener)

    def reader(self, partitions: Sequence[TopicPartition]) -> MemoryReader:
        with self._store.changed:
            return MemoryReader(
                self._store, {tp: self._store.partition_at(tp).base for tp in partitions}
            )

    def producer(self, transactional_id: str | None = None) -> MemoryProducer:
        with self._store.changed:
            epoch = 0
            if transactional_id is not None:
                epoch = self._store.epochs.get(transactional_id, -1) + 1
                self._store.epochs[transactional_id] = epoch
            return MemoryProducer(self._store, transactional_id, epoch)

    def expire_member(self, group_id: str, member_id: str) -> None:
        """What the broker does when a member is silent past its session timeout (for tests)."""
        with self._store.changed:
            self._store.groups[group_id].leave(member_id)
            self._store.changed.notify_all()
