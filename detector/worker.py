"""The worker: requests in, verdicts, alerts and scores out, one transaction a batch.

A turn: poll → read new switches → take over new partitions → replay a slice of those being
rebuilt → apply switches and records partition by partition → one transaction with all outputs, the
markers of the switches and the input offsets. State is ahead of the log only from applying to
committing. What ends a turn early drops all state (`group_member`), and it is rebuilt from what was
committed: by this worker, which joins anew, where the log was only away; by another, where another
has its name.

A partition is rebuilt from its newest snapshot and a silent replay of what came after it
(`takeover`); it is paused meanwhile, and the others go on. Nothing here reads a clock or the
environment: both are handed in.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

from detector.batch_size import BatchSize
from detector.control import CONTROL_PARTITION, Result
from detector.control_book import ControlBook
from detector.control_notes import ControlNotes
from detector.errors import BadTopic
from detector.group_member import WAIT_S, GroupMember
from detector.group_names import worker_transactions
from detector.handled import Handled
from detector.metrics import WorkerMetrics
from detector.output_records import output_records
from detector.outputs import Outputs
from detector.pipeline import Pipeline
from detector.shard import Shard
from detector.snapshot_keeper import SnapshotKeeper
from detector.straddlers import Straddlers
from detector.switches import ModelShelf
from detector.takeover import Takeover
from detector.worker_settings import WorkerSettings
from streams.errors import TooManyBadRecords
from streams.log import Log, LogError, LogRecord, OutputRecord, TopicPartition


class Worker:
    """One member of the group; one thread calls it. Implements `group_member.Role`."""

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
        self._notes = ControlNotes(settings, now_s)
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
        self._size = BatchSize(settings.batch_records, settings.batch_limit_s)
        self._member: GroupMember[Handled] = GroupMember(
            log_,
            self,
            settings,
            metrics.member,
            stop,
            live=self._shards.keys(),
            monotonic_s=monotonic_s,
        )
        metrics.models(pipeline.models)
        self._member.start()

    @property
    def shards(self) -> dict[int, Shard]:
        """The partitions that are live here, by number."""
        return {at.partition: shard for at, shard in sorted(self._shards.items())}

    def run(self) -> None:
        """Turns until told to stop, then leaves the group. Raises as `GroupMember.run`."""
        self._member.run()

    def turn(self) -> int:
        """One turn; returns how many records it committed. Raises LogError, BadTopic."""
        records = self._member.poll(self._size.now, self._patience_s())
        started_s = self._monotonic_s()
        self._read_control(started_s)
        if not self._member.held:
            member = self._member
            for shard in self._takeover.step(member.consumer, member.producer, self._book):
                self._go_live(shard)
            self._settled = False
            self._handle(records)
            self._size.took(len(records), self._monotonic_s() - started_s)
        committed = self._commit()
        self._settled = True
        if self._keeper is not None:
            waiting = self._member.waiting
            self._keeper.turn({at: s for at, s in self._shards.items() if at not in waiting})
        self._note_straddlers()
        if committed:
            self._metrics.member.batch_seconds.observe(self._monotonic_s() - started_s)
        self._measure()
        return committed

    def close(self) -> None:
        """Leaves the group and drops all state. What was not committed is handled by the next."""
        self.on_revoked([*self._shards, *self._takeover.partitions])
        self._settled = False
        self._takeover.forget()
        self._member.leave()

    def join(self) -> None:
        """Connects and joins the group. Raises LogError."""
        settings, member = self._settings, self._member
        self._log.partitions_for(settings.topic)
        member.open_producer(worker_transactions(settings.group) + settings.member_id)
        reader = self._log.reader([CONTROL_PARTITION])
        self._book = member.keep(ControlBook(reader, settings.group))
        self._book.read_to_end(WAIT_S)
        policy = self._notes.first_policy(self._book, self._pipeline.policy.stamp)
        if policy is not None:
            member.producer.send_transaction([policy], {})
            self._book.read_to_end(WAIT_S)
        member.open_consumer(settings.group, settings.topic)
        self._next_control_s = -math.inf

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Drops the state of partitions that go elsewhere: all of it is in the log."""
        if self._keeper is not None and self._settled:
            going = [at for at in partitions if at not in self._member.waiting]
            self._keeper.last([self._shards[at] for at in going if at in self._shards])
        for at in partitions:
            self._member.waiting.pop(at, None)
            self._takeover.drop(at)
            if self._keeper is not None:
                self._keeper.drop(at)
            self._shards.pop(at, None)
            self._pipeline.drop(at.partition)
            self._metrics.forget(at.partition)
        self._metrics.member.partitions.set(len(self._shards) + len(self._takeover))

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Keeps new partitions still until their state is rebuilt."""
        self._member.consumer.pause(partitions)
        self._takeover.arrive(partitions)
        self._metrics.member.partitions.set(len(self._shards) + len(self._takeover))

    def passed_over(self, at: TopicPartition, earliest: int, lost: int) -> None:
        """Goes on with the state as it is where records were lost; anew with a topic made anew."""
        if lost:
            self._shards[at].next_offset = earliest
            return
        anew = self._shards[at] = self._takeover.new_shard(at, earliest, self._book)
        anew.begin(None)
        self._takeover.watch(anew)

    def _patience_s(self) -> float:
        """How long a poll may wait."""
        if self._member.waiting:
            return WAIT_S
        if self._takeover or (self._keeper is not None and self._keeper.busy):
            return 0.0
        return self._settings.poll_s

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
        self._member.consumer.seek(shard.at, shard.next_offset)
        self._member.consumer.resume([shard.at])

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
                markers = self._notes.markers(shard, results)
            elif not part:
                continue
            try:
                out.add(shard.process(part))
            except TooManyBadRecords as error:
                raise BadTopic(at.topic, at.partition, error) from error
            written = [*output_records(out), *markers]
            self._member.waiting[at] = Handled(written, shard.next_offset, len(part), out, results)

    def _commit(self) -> int:
        """Commits what was handled; how many records that is. 0 when it could not be done yet."""
        done = self._member.commit().values()
        for part in done:
            self._metrics.committed(part.out)
            for result in part.results:
                self._metrics.controlled(result.refused is not None)
        return sum(part.count for part in done)

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

    def _note_straddlers(self) -> None:
        shards = [*self._shards.values(), *self._takeover.shards]
        found = self._straddlers.note([shard.partition.state.accounts for shard in shards])
        self._metrics.two_partitions.inc(found)

    def _measure(self) -> None:
        self._metrics.accounts.set(
            sum(len(shard.partition.state.accounts) for shard in self._shards.values())
        )
        if self._member.measure() and self._keeper is not None:
            self._keeper.measure()
