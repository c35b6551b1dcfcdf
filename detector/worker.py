"""The worker: requests in, verdicts, alerts and scores out, one transaction a batch.

A turn: poll → read new switches → take over new partitions → replay a slice of those being
rebuilt → apply switches and records partition by partition → one transaction with all outputs, the
markers of the switches and the input offsets. State is ahead of the log only from applying to
committing. When a rebalance refuses the commit, the worker keeps still, lets the rebalance happen
and commits the same for the partitions it still owns. Whatever else ends a turn early drops all
state, and it is rebuilt from what was committed: by this worker, which joins anew, where the log
was only away; by another, where another has its name.

A partition is rebuilt from its newest snapshot and a silent replay of what came after it
(`takeover`); it is paused meanwhile, and the others go on. Nothing here reads a clock or the
environment: both are handed in.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

import structlog

from detector.batch_size import BatchSize
from detector.control import (
    CONTROL_PARTITION,
    MAX_RESULTS,
    Applied,
    ControlRecord,
    PolicySwitch,
    Result,
    control_record,
)
from detector.control_book import ControlBook
from detector.errors import BadTopic
from detector.handled import Handled
from detector.metrics import WorkerMetrics
from detector.output_records import output_records
from detector.outputs import Outputs
from detector.pipeline import Pipeline
from detector.progress_watch import ProgressWatch, StuckPartitions
from detector.retries import Retries
from detector.shard import Shard
from detector.snapshot_keeper import SnapshotKeeper
from detector.straddlers import Straddlers
from detector.switches import ModelShelf
from detector.takeover import Takeover
from detector.worker_settings import WorkerSettings
from streams.envelope import derived_id
from streams.errors import TooManyBadRecords
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
    TopicPartition,
)

WAIT_S = 0.05
"""How long a read waits while something else is to be done too."""

log = structlog.get_logger()


class Worker:
    """One member of the group; one thread calls it. Implements `streams.log.RebalanceListener`."""

    def __init__(
        self,
        log_: Log,
        pipeline: Pipeline,
        shelf: ModelShelf,
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        stop: threading.Event,
        *,
        now_s: Callable[[], float],
        monotonic_s: Callable[[], float],
        keeper: SnapshotKeeper | None = None,
    ) -> None:
        """Joins the group. Raises UnknownTopic, LogError.

        keeper: of snapshots; None: state is rebuilt by replay alone.
        now_s: UTC epoch seconds, for the audit only: nothing is computed from it.
        """
        self._log = log_
        self._pipeline = pipeline
        self._settings = settings
        self._metrics = metrics
        self._stop = stop
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._keeper = keeper
        self._takeover = Takeover(
            log_,
            pipeline,
            shelf,
            settings,
            metrics,
            keeper,
            now_s=now_s,
            monotonic_s=monotonic_s,
        )
        self._settled = False
        self._shards: dict[TopicPartition, Shard] = {}
        self._straddlers = Straddlers()
        self._handled: dict[TopicPartition, Handled] = {}
        self._held_s: float | None = None
        self._retries = Retries(settings.give_up_s)
        self._size = BatchSize(settings.batch_records, settings.batch_limit_s)
        self._watch = ProgressWatch(settings.stuck_after_s)
        self._room = False
        self._open: list[LogConsumer | LogProducer | ControlBook] = []
        metrics.models(pipeline.models)
        try:
            self._join()
        except BaseException:
            self.close()
            raise

    @property
    def shards(self) -> dict[int, Shard]:
        """The partitions that are live here, by number."""
        return {at.partition: shard for at, shard in sorted(self._shards.items())}

    def run(self) -> None:
        """Turns until `stop` is set, then leaves the group.

        Raises:
            BadTopic: too many records of a partition cannot be read.
            Fenced: a newer worker has the name; the state is dropped.
            RecordRefused: an output can never be written.
            LogError: the log cannot be read or written, and trying again did not help.
        """
        try:
            while not self._stop.is_set():
                try:
                    if not self._open:
                        self._join()
                    committed = self.turn()
                except LogError as error:
                    self._start_over(error)
                else:
                    if committed:
                        self._retries.went_well()
                    elif not self._handled and (self._shards or not self._consumer.assignment()):
                        self._retries.quiet(self._monotonic_s())
                    self._metrics.connected.set(1)
        finally:
            self.close()

    def turn(self) -> int:
        """One turn; returns how many records it committed. Raises LogError, BadTopic."""
        records = self._poll(self._patience_s())
        self._room = self._room or len(records) < self._size.now
        started_s = self._monotonic_s()
        self._read_control(started_s)
        if self._held_s is None:
            for shard in self._takeover.step(self._consumer, self._producer, self._book):
                self._go_live(shard)
            self._settled = False
            self._handle(records)
            self._size.took(len(records), self._monotonic_s() - started_s)
        committed = self._commit()
        self._settled = True
        if self._keeper is not None:
            self._keeper.turn(
                {at: shard for at, shard in self._shards.items() if at not in self._handled}
            )
        self._note_straddlers()
        if committed:
            self._metrics.batch_seconds.observe(self._monotonic_s() - started_s)
        self._measure()
        return committed

    def close(self) -> None:
        """Leaves the group and drops all state. What was not committed is handled by the next."""
        self.on_revoked([*self._shards, *self._takeover.partitions])
        self._handled.clear()
        self._held_s = None
        self._settled = False
        self._takeover.forget()
        self._watch.clear()
        while self._open:
            client = self._open.pop()
            try:
                client.close()
            except LogError as error:
                log.warning(f"a connection ended without a farewell: {error}")

    def _join(self) -> None:
        """Connects and joins the group. Raises LogError.

        The producer comes first: what its like of before left open is then settled, and the
        committed offsets are the true ones.
        """
        settings = self._settings
        self._log.partitions_for(settings.topic)
        self._producer = self._log.producer(f"{settings.group}-{settings.member_id}")
        self._open.append(self._producer)
        self._book = ControlBook(self._log.reader([CONTROL_PARTITION]), settings.group)
        self._open.append(self._book)
        self._book.read_to_end(WAIT_S)
        self._found_policy()
        self._consumer = self._log.consumer(
            settings.group, [settings.topic], member_id=settings.member_id, listener=self
        )
        self._open.append(self._consumer)
        self._next_control_s = self._next_lag_s = -math.inf

    def _start_over(self, error: LogError) -> None:
        """Drops all, waits a little, so that the next turn joins anew. Raises what is for good."""
        wait_s = self._retries.failed(error, self._monotonic_s())
        log.warning(f"joining anew in {wait_s:.1f} s: {error}")
        self._metrics.connected.set(0)
        self._metrics.rejoins.labels(type(error).__name__).inc()
        self.close()
        self._stop.wait(wait_s)

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Drops the state of partitions that go elsewhere: all of it is in the log."""
        if self._keeper is not None and self._settled:
            going = [at for at in partitions if at not in self._handled]
            self._keeper.last([self._shards[at] for at in going if at in self._shards])
        for at in partitions:
            self._handled.pop(at, None)
            self._takeover.drop(at)
            if self._keeper is not None:
                self._keeper.drop(at)
            self._shards.pop(at, None)
            self._pipeline.drop(at.partition)
            self._metrics.forget(at.partition)
        self._metrics.partitions.set(len(self._shards) + len(self._takeover))

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Keeps new partitions still until their state is rebuilt."""
        self._consumer.pause(partitions)
        self._takeover.arrive(partitions)
        self._metrics.partitions.set(len(self._shards) + len(self._takeover))

    def _found_policy(self) -> None:
        """Puts the policy of the settings on the control topic, unless one is in force already."""
        ours = self._pipeline.policy.stamp
        present = self._book.last_policy()
        if present is None:
            switch = PolicySwitch(
                by=self._settings.member_id,
                reason="the policy of the settings, at first start",
                text=self._settings.policy_text,
                stamp=ours,
            )
            record = self._control(switch, derived_id("policy", self._settings.group, ours))
            self._producer.send_transaction([record], {})
            self._book.read_to_end(WAIT_S)
        elif present.stamp != ours:
            log.warning(
                f"policy {present.stamp} is in force, not {ours} of the settings; "
                "switch with `stillwatch policy apply FILE`"
            )

    def _control(self, body: ControlRecord, event_id: str) -> OutputRecord:
        return control_record(body, event_id=event_id, at_s=self._now_s())

    def _patience_s(self) -> float:
        """How long a poll may wait."""
        if self._handled:
            return WAIT_S
        if self._takeover or (self._keeper is not None and self._keeper.busy):
            return 0.0
        return self._settings.poll_s

    def _poll(self, timeout_s: float) -> list[LogRecord]:
        try:
            return self._consumer.poll(self._size.now, timeout_s)
        except OffsetOutOfRange as error:
            if error.topic is None or error.partition is None:
                raise
            self._resettle(TopicPartition(error.topic, error.partition))
            return []

    def _resettle(self, at: TopicPartition) -> None:
        """Goes on at the earliest record: the log no longer holds the place where we stood."""
        reader = self._log.reader([at])
        earliest = reader.positions()[at]
        reader.close()
        shard = self._shards[at]
        stood = shard.next_offset
        self._consumer.seek(at, earliest)
        if earliest > stood:
            self._metrics.lost.inc(earliest - stood)
            log.error(
                f"the topic dropped {earliest - stood} records before they were read: the worker "
                "is too slow or the topic's retention too short",
                topic=at.topic,
                partition=at.partition,
            )
            shard.next_offset = earliest
        else:
            log.error(
                f"the topic ends before offset {stood}: it was made anew, and so is the state",
                topic=at.topic,
                partition=at.partition,
            )
            anew = self._shards[at] = self._takeover.new_shard(at, earliest, self._book)
            anew.begin(None)
            self._takeover.watch(anew)

    def _read_control(self, monotonic_s: float) -> None:
        if self._takeover.waits_for_control:
            self._book.read(WAIT_S)
        elif monotonic_s >= self._next_control_s:
            self._book.read()
        else:
            return
        self._next_control_s = monotonic_s + self._settings.control_every_s

    def _go_live(self, shard: Shard) -> None:
        self._shards[shard.at] = shard
        self._consumer.seek(shard.at, shard.next_offset)
        self._consumer.resume([shard.at])

    def _handle(self, records: list[LogRecord]) -> None:
        """Applies switches and records. Raises BadTopic, LogError."""
        parts = self._by_partition(records)
        for at, shard in sorted(self._shards.items()):
            part = parts.get(at.partition, [])
            out = Outputs()
            markers: list[OutputRecord] = []
            results: list[Result] = []
            if shard.has_news():
                made, results = shard.apply_new()
                out.add(made)
                markers = self._markers(shard, results)
            elif not part:
                continue
            try:
                out.add(shard.process(part))
            except TooManyBadRecords as error:
                raise BadTopic(at.topic, at.partition, error) from error
            written = [*output_records(out), *markers]
            self._handled[at] = Handled(written, shard.next_offset, len(part), out, results)

    def _commit(self) -> int:
        """Commits what was handled; how many records that is. 0 when it could not be done yet."""
        if not self._handled:
            self._release()
            return 0
        outputs = [record for part in self._handled.values() for record in part.records]
        offsets = {at: part.offset for at, part in self._handled.items()}
        try:
            if not self._send(outputs, offsets):
                return 0
        except GroupMoved as error:
            self._hold(error)
            return 0
        done, self._handled = self._handled, {}
        self._release()
        for part in done.values():
            self._metrics.committed(part.out)
            for result in part.results:
                self._metrics.controlled(result.refused is not None)
        return sum(part.count for part in done.values())

    def _hold(self, error: GroupMoved) -> None:
        """Keeps all partitions still until what was handled is committed or given away.

        Raises Evicted when the group does not come to rest.
        """
        now_s = self._monotonic_s()
        self._metrics.held.inc()
        if self._held_s is None:
            self._held_s = now_s
            self._consumer.pause(self._shards)
        elif now_s - self._held_s >= self._settings.give_up_s:
            raise Evicted(f"the group has not come to rest for long: {error}") from error

    def _release(self) -> None:
        if self._held_s is not None:
            self._held_s = None
            self._consumer.resume(self._shards)

    def _by_partition(self, records: list[LogRecord]) -> dict[int, list[LogRecord]]:
        """The batch by partition. Raises LogError for records that we must not see."""
        parts: dict[int, list[LogRecord]] = {}
        for record in records:
            parts.setdefault(record.partition, []).append(record)
        for number, part in parts.items():
            at = TopicPartition(self._settings.topic, number)
            shard = self._shards.get(at)
            if shard is None or part[0].offset < shard.next_offset:
                raise LogError(
                    f"partition {number} of {at.topic!r} gave offset {part[0].offset} "
                    f"{'while it is paused' if shard is None else 'twice'}; start again",
                    topic=at.topic,
                    partition=number,
                    offset=part[0].offset,
                )
        return parts

    def _markers(self, shard: Shard, results: list[Result]) -> list[OutputRecord]:
        made = []
        for start in range(0, len(results), MAX_RESULTS):
            some = tuple(results[start : start + MAX_RESULTS])
            body = Applied(
                group=self._settings.group,
                topic=shard.at.topic,
                partition=shard.at.partition,
                before_offset=shard.next_offset,
                results=some,
            )
            event_id = derived_id(
                "applied", body.group, body.topic, body.partition, body.before_offset,
                some[0].offset, len(some),
            )  # fmt: skip
            made.append(self._control(body, event_id))
        return made

    def _send(self, outputs: list[OutputRecord], offsets: dict[TopicPartition, int]) -> bool:
        """Commits; waits while the log is full. False when the worker is stopped meanwhile.

        Raises GroupMoved, Fenced, LogError.
        """
        while True:
            try:
                self._producer.send_transaction(outputs, offsets, self._consumer.group_metadata())
            except LogFull:
                if self._stop.wait(self._settings.retry_s):
                    return False
            else:
                return True

    def _note_straddlers(self) -> None:
        shards = [*self._shards.values(), *self._takeover.shards]
        found = self._straddlers.note([shard.partition.state.accounts for shard in shards])
        self._metrics.two_partitions.inc(found)

    def _measure(self) -> None:
        done_s = self._monotonic_s()
        self._metrics.accounts.set(
            sum(len(shard.partition.state.accounts) for shard in self._shards.values())
        )
        if done_s < self._next_lag_s:
            return
        self._next_lag_s = done_s + self._settings.lag_every_s
        if self._keeper is not None:
            self._keeper.measure()
        positions, ends = self._consumer.positions(), self._consumer.end_offsets()
        for at, end in ends.items():
            if at in positions:
                self._metrics.lag.labels(str(at.partition)).set(max(end - positions[at], 0))
        read = {} if self._held_s is not None else self._shards
        stuck = self._watch.look(
            {at: positions[at] for at in read if at in positions},
            ends,
            room=self._room,
            monotonic_s=done_s,
        )
        self._room = False
        self._metrics.stuck.set(len(stuck))
        if stuck:
            numbers = ", ".join(str(at.partition) for at in stuck)
            raise StuckPartitions(f"records wait in partition {numbers} and are not read")
