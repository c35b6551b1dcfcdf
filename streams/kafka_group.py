"""A member of a Kafka consumer group: cooperative-sticky, committed positions, fencing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import kafka
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError
from kafka.future import Future
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaPartition

from streams.kafka_errors import kafka_errors
from streams.kafka_reader import KafkaPoller, consumer_options
from streams.kafka_settings import KafkaSettings
from streams.log import (
    Evicted,
    Fenced,
    GroupMetadata,
    GroupMoved,
    LogRecord,
    RebalanceListener,
    TopicPartition,
)

_COMMITTED_GRACE_S = 15.0
"""kafka-python would ask for the committed offsets for ever. A transaction that its owner left open
holds the answer back until it times out; so long and a little longer we wait."""


class KafkaGroupConsumer(KafkaPoller):
    """A member of a group; implements `streams.log.LogConsumer`.

    The listener is called while the owner waits inside `poll`, on a thread made for that call:
    kafka-python's own thread must stay free to commit and to send heartbeats meanwhile. What a
    listener raises comes out of that `poll`. `close` does not call it.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        client_options: dict[str, Any],
        group_id: str,
        topics: Sequence[str],
        listener: RebalanceListener | None,
        instance_id: str | None = None,
    ) -> None:
        """`instance_id` makes a static member: its partitions wait for it over a restart."""
        session_s = settings.session_timeout_s
        super().__init__(
            settings,
            kafka.KafkaConsumer(
                **client_options,
                **consumer_options(settings),
                group_id=group_id,
                group_instance_id=instance_id,
                partition_assignment_strategy=[CooperativeStickyAssignor()],
                session_timeout_ms=int(session_s * 1000.0),
                heartbeat_interval_ms=int(min(settings.heartbeat_s, session_s / 3.0) * 1000.0),
                max_poll_interval_ms=int(settings.max_poll_interval_s * 1000.0),
            ),
        )
        self._committed_limit_ms = (settings.transaction_timeout_s + _COMMITTED_GRACE_S) * 1000.0
        self._group_id = group_id
        self._topics = tuple(topics)
        self._listener = listener
        self._polled_to: dict[TopicPartition, int] = {}
        self._leaving: dict[TopicPartition, int] = {}
        self._lost = False
        self._member_id: str | None = None  # under which we own our partitions
        self._raised: BaseException | None = None
        self._client.subscribe(topics, listener=_Listener(self))
        # A group's leader that does not know a topic's partitions yet would give out none of them.
        for topic in topics:
            self._client.partitions_for_topic(topic)

    def poll(self, max_records: int, timeout_s: float) -> list[LogRecord]:
        if self._lost:
            raise self._fenced()
        # kafka-python forgets a revoked partition's position before it tells of the revocation.
        self._polled_to = self.positions()
        self._keep_answer()
        try:
            records = super().poll(max_records, timeout_s) or self._read_on(max_records)
        except Exception:
            if self._lost:
                raise self._fenced() from None
            if self._raised is not None:
                raised, self._raised = self._raised, None
                with kafka_errors("taking over partitions", self._bootstrap):
                    raise raised from None
            raise
        self._check_member()
        return records

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._read())

    def end_offsets(self) -> dict[TopicPartition, int]:
        ends = super().end_offsets()
        if not ends:
            # Nothing to ask about; whether anybody would answer is to be known all the same.
            with kafka_errors("asking for an answer", self._bootstrap):
                self._client.end_offsets([KafkaPartition(self._topics[0], 0)])
        return ends

    def committed(self) -> dict[TopicPartition, int | None]:
        self._check_open()
        wanted = self._read()
        with kafka_errors("reading committed offsets", self._bootstrap):
            found = self._committed([KafkaPartition(tp.topic, tp.partition) for tp in wanted])
        return {tp: found[KafkaPartition(tp.topic, tp.partition)] for tp in wanted}

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._check_open()
        foreign = offsets.keys() - set(self._read())
        if foreign:
            tp = min(foreign)
            raise Fenced(
                f"partition {tp.partition} of {tp.topic!r} is not this member's",
                topic=tp.topic,
                partition=tp.partition,
            )
        with kafka_errors("committing offsets", self._bootstrap):
            self._client.commit(
                {
                    KafkaPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, "", -1)
                    for tp, offset in offsets.items()
                }
            )

    def group_metadata(self) -> GroupMetadata:
        metadata = self._client.group_metadata()
        if metadata.generation_id < 0 or metadata.member_id != self._member_id:
            # Thrown out, which the next poll tells: kafka-python has dropped its membership, or is
            # joining under a new one. Brokers do not fence a transaction without a generation.
            raise GroupMoved(f"not a member of group {self._group_id!r} now; poll first")
        return GroupMetadata(
            metadata.group_id,
            metadata.generation_id,
            metadata.member_id,
            metadata.group_instance_id,
        )

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._client.pause(*self._owned(partitions))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        owned = self._owned(partitions)
        self._drop_parked(owned)
        self._client.resume(*owned)

    def _read_on(self, max_records: int) -> list[LogRecord]:
        """Records of what is still ours while a rebalance waits for others.

        kafka-python 3.0.12 returns none meanwhile, and with a member that died "meanwhile" is the
        session timeout. In a cooperative rebalance a partition stays ours until it is revoked.
        """
        if self._client._coordinator._join_task is None or not self._client.assignment():
            return []
        with kafka_errors("reading", self._bootstrap):
            polled, _ = self._client._fetcher.fetch_records(
                self._fitting(max_records), timeout_ms=0
            )
        return self._records(polled)

    def _check_member(self) -> None:
        """Raises Evicted when kafka-python has joined under a new id and kept our partitions.

        Others may have had them meanwhile. It does so, and tells no listener, when the broker
        forgets a member in the middle of a rebalance.
        """
        metadata = self._client.group_metadata()
        if (
            metadata.generation_id >= 0
            and metadata.member_id != self._member_id
            and self._client._coordinator.stable()
            and self._client.assignment()
        ):
            self._lost = True
            raise self._fenced()

    def _keep_answer(self) -> None:
        """Lets a join that was answered between two polls count.

        kafka-python 3.0.12 goes on waiting for a join that an earlier poll began, but throws it
        away and joins anew when the answer came while nobody polled. Then the others must join
        anew as well: members that poll in turn, or poll briefly between long batches, would never
        come to rest.
        """
        coordinator = self._client._coordinator
        task = coordinator._join_task
        if task is not None and not isinstance(task, _KeptAnswer):
            coordinator._join_task = _KeptAnswer(task)

    def _owned(self, partitions: Iterable[TopicPartition]) -> list[KafkaPartition]:
        assigned = self._client.assignment()
        theirs = [KafkaPartition(tp.topic, tp.partition) for tp in partitions]
        return [tp for tp in theirs if tp in assigned]

    def _drop_parked(self, partitions: Iterable[KafkaPartition]) -> None:
        """Forgets what was fetched of paused partitions; it is fetched again from their position.

        kafka-python 3.0.12 parks such records and takes them up again only while the last
        partition it read from left nothing behind, not even an exhausted iterator. Otherwise the
        resumed partition is never fetched again: it has, after all, records waiting.
        """
        fetcher = self._client._fetcher
        for tp in partitions:
            fetcher._paused_partition_records.pop(tp, None)
            fetcher._paused_completed_fetches.pop(tp, None)

    def _read(self) -> list[TopicPartition]:
        # A partition that is being revoked is still ours until the listener has returned.
        return sorted({*self._assigned(), *self._leaving}) if self._leaving else self._assigned()

    def _position(self, tp: TopicPartition) -> int:
        leaving = self._leaving.get(tp)
        return super()._position(tp) if leaving is None else leaving

    def _committed(self, partitions: Sequence[KafkaPartition]) -> dict[KafkaPartition, int | None]:
        # The public call asks the broker about one partition at a time.
        found = self._client._coordinator.fetch_committed_offsets(
            list(partitions), self._committed_limit_ms
        )
        return {tp: found[tp].offset if tp in found else None for tp in partitions}

    def _fenced(self) -> Evicted:
        return Evicted(
            f"group {self._group_id!r} threw this member out: it was silent for too long, or "
            "somebody removed it; drop the partitions' state and join anew"
        )

    async def _tell(self, work: Callable[[], None]) -> None:
        """Runs `work` on a thread of its own while kafka-python's loop goes on."""
        done = Future()

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - comes out of poll, on the owner's thread
                self._raised = error
            self._client._manager.call_soon(done.success, None)

        threading.Thread(target=run, name="stillwatch-rebalance", daemon=True).start()
        await done
        if self._raised is not None:
            raise KafkaError("the listener raised")  # ends this poll; `poll` raises the cause

    def _revoke(self, partitions: Sequence[TopicPartition]) -> None:
        self._leaving = {tp: self._polled_to[tp] for tp in partitions if tp in self._polled_to}
        try:
            if self._listener is not None:
                self._listener.on_revoked(partitions)
        finally:
            self._leaving = {}

    def _assign(self, partitions: Sequence[TopicPartition]) -> None:
        if not set(self._assigned()) - set(partitions):
            self._member_id = self._client.group_metadata().member_id
        theirs = [KafkaPartition(tp.topic, tp.partition) for tp in partitions]
        self._drop_parked(theirs)  # from before they were revoked
        self._start_at(self._committed(theirs))
        if self._listener is not None:
            self._listener.on_assigned(partitions)


class _KeptAnswer:
    """kafka-python's join under way, as its coordinator may see it: not done before it is read."""

    is_done = False

    def __init__(self, task: Any) -> None:
        self._task = task

    def add_callback(self, *given: Any) -> None:
        self._task.add_callback(*given)

    def add_errback(self, *given: Any) -> None:
        self._task.add_errback(*given)

    def __await__(self) -> Any:
        return self._task.__await__()


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # untyped base
    """What kafka-python calls, on its own thread."""

    def __init__(self, member: KafkaGroupConsumer) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        if not self._member._closed:
            partitions = sorted(TopicPartition(*tp) for tp in revoked)
            await self._member._tell(lambda: self._member._revoke(partitions))

    async def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        if not self._member._closed:
            partitions = sorted(TopicPartition(*tp) for tp in assigned)
            await self._member._tell(lambda: self._member._assign(partitions))

    async def on_partitions_lost(self, lost: Collection[KafkaPartition]) -> None:
        if not self._member._closed:
            self._member._lost = True
            raise KafkaError("thrown out of the group")  # so that it does not rejoin by itself
