"""A member of a consumer group that answers what it reads with outputs, one transaction a turn.

What the roles have in common that do so. A role polls, leaves in `waiting` what it made of each
partition's records, and commits: all outputs and the input offsets in one transaction. When a
rebalance refuses it, the member keeps still, lets the rebalance happen inside `poll`, and commits
the same for the partitions that are still its own. Whatever else ends a turn early drops all that
the role holds, and it joins anew where that can help (`retries`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Generic, Protocol, TypeVar

import structlog

from detector.member_metrics import MemberMetrics
from detector.member_settings import MemberSettings
from detector.progress_watch import ProgressWatch, StuckPartitions
from detector.retries import Retries
from streams.log import (
    Evicted,
    GroupMoved,
    Log,
    LogConsumer,
    LogError,
    LogFull,
    LogProducer,
    LogRecord,
    OffsetOutOfRange,
    OutputRecord,
    RebalanceListener,
    TopicPartition,
)

WAIT_S = 0.05
"""How long a read waits while something else is to be done too."""

log = structlog.get_logger()


class Share(Protocol):
    """A partition's share of one transaction."""

    @property
    def records(self) -> Sequence[OutputRecord]:
        """What is to be written."""

    @property
    def offset(self) -> int:
        """The first input offset that is not in it."""


class Role(RebalanceListener, Protocol):
    """What a member asks of its role."""

    def join(self) -> None:
        """Opens what the role needs of the log: the producer first, the consumer last.

        What a producer of the same name left open is then settled, and the committed offsets are
        the true ones. Raises LogError.
        """

    def turn(self) -> int:
        """One turn; returns how many records it committed. Raises LogError, BadTopic."""

    def close(self) -> None:
        """Drops all that is not committed, and leaves the group (`GroupMember.leave`)."""

    def passed_over(self, at: TopicPartition, earliest: int, lost: int) -> None:
        """The log no longer holds the place where `at` stood: it goes on at its earliest record.

        lost: records that were never read; 0 when the topic was made anew.
        """


class _Client(Protocol):
    def close(self) -> None: ...


_S = TypeVar("_S", bound=Share)
_C = TypeVar("_C", bound=_Client)


class GroupMember(Generic[_S]):
    """The consumer and the producer of one role; one thread calls it.

    Attributes:
        waiting: what was handled and is not committed yet. `on_revoked` takes out what goes.
        producer, consumer: from `join` on.
    """

    producer: LogProducer
    consumer: LogConsumer

    def __init__(
        self,
        log_: Log,
        role: Role,
        settings: MemberSettings,
        metrics: MemberMetrics,
        stop: threading.Event,
        *,
        live: Collection[TopicPartition],
        monotonic_s: Callable[[], float],
    ) -> None:
        """`live`: the partitions that the role reads now, always up to date; not those that it
        keeps still itself."""
        self.waiting: dict[TopicPartition, _S] = {}
        self._log = log_
        self._role = role
        self._settings = settings
        self._metrics = metrics
        self._stop = stop
        self._live = live
        self._monotonic_s = monotonic_s
        self._held_s: float | None = None
        self._retries = Retries(settings.give_up_s)
        self._watch = ProgressWatch(settings.stuck_after_s)
        self._room = False
        self._next_lag_s = -math.inf
        self._open: list[_Client] = []

    @property
    def held(self) -> bool:
        """Whether a commit waits for a rebalance. All partitions are kept still meanwhile."""
        return self._held_s is not None

    def start(self) -> None:
        """Lets the role join; closes it again when that fails. Raises LogError."""
        try:
            self._role.join()
        except BaseException:
            self._role.close()
            raise

    def run(self) -> None:
        """Turns until `stop` is set, then leaves the group.

        Raises:
            BadTopic: too many records of a partition cannot be read.
            Fenced: a newer process has the name.
            RecordRefused: an output can never be written.
            LogError: the log cannot be read or written, and trying again did not help.
        """
        try:
            while not self._stop.is_set():
                try:
                    if not self._open:
                        self._role.join()
                    committed = self._role.turn()
                except LogError as error:
                    self._start_over(error)
                else:
                    self._went(committed)
        finally:
            self._role.close()

    def open_producer(self, transactional_id: str) -> None:
        """The producer of this name; one of before is fenced from now on. Raises LogError."""
        self.producer = self.keep(self._log.producer(transactional_id))

    def open_consumer(self, group_id: str, topic: str) -> None:
        """Joins the group as a reader of the topic. Raises LogError."""
        self.producer.settle(group_id, TopicPartition(topic, 0))
        name = self._settings.member_id
        self.consumer = self.keep(
            self._log.consumer(group_id, [topic], member_id=name, listener=self._role)
        )
        self._next_lag_s = -math.inf

    def keep(self, client: _C) -> _C:
        """Closes this client with the others; returns it."""
        self._open.append(client)
        return client

    def poll(self, most: int, timeout_s: float) -> list[LogRecord]:
        """Up to `most` records; rebalances happen in here. Raises LogError."""
        try:
            records = self.consumer.poll(most, timeout_s)
        except OffsetOutOfRange as error:
            if error.topic is None or error.partition is None:
                raise
            self._pass_over(TopicPartition(error.topic, error.partition), error.offset)
            records = []
        if records and self.held:
            raise LogError("records came while all partitions are kept still; start again")
        self._room = self._room or len(records) < most
        return records

    def commit(self) -> dict[TopicPartition, _S]:
        """Commits what waits and returns it; nothing when that cannot be done yet.

        Raises Evicted when the group does not come to rest for long, LogError.
        """
        if not self.waiting:
            self._release()
            return {}
        outputs = [record for share in self.waiting.values() for record in share.records]
        offsets = {at: share.offset for at, share in self.waiting.items()}
        try:
            if not self._send(outputs, offsets):
                return {}
        except GroupMoved as error:
            self._hold(error)
            return {}
        done, self.waiting = self.waiting, {}
        self._release()
        return done

    def measure(self) -> bool:
        """Tells the lag, every `lag_every_s`; whether it was time to.

        Raises StuckPartitions for those that have records and are not read, LogError.
        """
        now_s = self._monotonic_s()
        if now_s < self._next_lag_s:
            return False
        self._next_lag_s = now_s + self._settings.lag_every_s
        positions, ends = self.consumer.positions(), self.consumer.end_offsets()
        for at, end in ends.items():
            if at in positions:
                self._metrics.lag.labels(str(at.partition)).set(max(end - positions[at], 0))
        read = () if self.held else self._live
        stuck = self._watch.look(
            {at: positions[at] for at in read if at in positions},
            ends,
            room=self._room,
            monotonic_s=now_s,
        )
        self._room = False
        self._metrics.stuck.set(len(stuck))
        if stuck:
            numbers = ", ".join(str(at.partition) for at in stuck)
            raise StuckPartitions(f"records wait in partition {numbers} and are not read")
        return True

    def leave(self) -> None:
        """Leaves the group. What was not committed is read again by the next."""
        self.waiting.clear()
        self._held_s = None
        self._watch.clear()
        while self._open:
            client = self._open.pop()
            try:
                client.close()
            except LogError as error:
                log.warning(f"a connection ended without a farewell: {error}")

    def _start_over(self, error: LogError) -> None:
        """Drops all, waits a little, so that the next turn joins anew. Raises what is for good."""
        wait_s = self._retries.failed(error, self._monotonic_s())
        log.warning(f"joining anew in {wait_s:.1f} s: {error}")
        self._metrics.connected.set(0)
        self._metrics.rejoins.labels(type(error).__name__).inc()
        self._role.close()
        self._stop.wait(wait_s)

    def _went(self, committed: int) -> None:
        """A turn went well: that may end a streak of failures."""
        if committed:
            self._retries.went_well()
        elif not self.waiting and (self._live or not self.consumer.assignment()):
            self._retries.quiet(self._monotonic_s())
        self._metrics.connected.set(1)

    def _pass_over(self, at: TopicPartition, stood: int | None) -> None:
        """Goes on at the earliest record: the log no longer holds the place where we stood."""
        reader = self._log.reader([at])
        try:
            earliest = reader.positions()[at]
        finally:
            reader.close()
        self.consumer.seek(at, earliest)
        lost = 0 if stood is None else max(earliest - stood, 0)
        self._metrics.lost.inc(lost)
        log.error(
            f"offset {stood} is not in the topic, going on at {earliest}: "
            + (
                f"it dropped {lost} records before they were read; this process is too slow or "
                "the topic's retention too short"
                if lost
                else "it was made anew, and so is what was known of it"
            ),
            topic=at.topic,
            partition=at.partition,
        )
        self._role.passed_over(at, earliest, lost)

    def _send(self, outputs: list[OutputRecord], offsets: dict[TopicPartition, int]) -> bool:
        """Commits; waits while the log is full. False when told to stop meanwhile.

        Raises GroupMoved, Fenced, LogError.
        """
        while True:
            try:
                self.producer.send_transaction(outputs, offsets, self.consumer.group_metadata())
            except LogFull:
                if self._stop.wait(self._settings.retry_s):
                    return False
            else:
                return True

    def _hold(self, error: GroupMoved) -> None:
        """Keeps all partitions still until what was handled is committed or given away.

        Raises Evicted when the group does not come to rest.
        """
        now_s = self._monotonic_s()
        self._metrics.held.inc()
        if self._held_s is None:
            self._held_s = now_s
            self.consumer.pause(self._live)
        elif now_s - self._held_s >= self._settings.give_up_s:
            raise Evicted(f"the group has not come to rest for long: {error}") from error

    def _release(self) -> None:
        if self._held_s is not None:
            self._held_s = None
            self.consumer.resume(self._live)
