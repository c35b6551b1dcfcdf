"""The role `rekey`: records of a topic without keys, again in the input topic, keyed by account.

A turn: poll → find the account of each record (`streams.account_keys`) → one transaction with the
keyed records, the dead letters and the offsets. So each record is in the input topic once, whatever
is killed. Value, time and headers stay as they are; only a record that holds several accounts may
be cut.

Records of one source partition keep their order. Nothing is remembered between records, so there
is no state to rebuild: what a rebalance or an error interrupts is read again by whoever owns the
partition then. When a rebalance refuses the commit, the same is committed after it for the
partitions that are still owned.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from detector.errors import BadTopic
from detector.group_names import rekey_group, rekey_transactions
from detector.metrics import RekeyMetrics
from detector.output_records import output_records
from detector.outputs import Outputs
from detector.progress_watch import ProgressWatch, StuckPartitions
from detector.rekey_settings import RekeySettings
from detector.retries import Retries
from streams import deadletters
from streams.account_keys import AccountKeys, Keyed
from streams.deadletters import RatioCap
from streams.errors import MalformedRecord, TooManyBadRecords
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
"""How long a read waits while a commit waits too."""
_OVERHEAD_BYTES = 128
"""More than a record's own fields take in a batch, as the producer counts."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Share:
    """A partition's share of one transaction; `offset` is the first that is not in it."""

    offset: int
    records: list[OutputRecord] = field(default_factory=list)
    out: Outputs = field(default_factory=Outputs)
    counts: Counter[str] = field(default_factory=Counter)


class RekeyRole:
    """One member of the group; one thread calls it. Implements `streams.log.RebalanceListener`."""

    def __init__(
        self,
        log_: Log,
        keys: AccountKeys,
        settings: RekeySettings,
        metrics: RekeyMetrics,
        stop: threading.Event,
        *,
        monotonic_s: Callable[[], float],
    ) -> None:
        """Joins the group. Raises UnknownTopic, LogError."""
        self._log = log_
        self._keys = keys
        self._settings = settings
        self._metrics = metrics
        self._stop = stop
        self._monotonic_s = monotonic_s
        self._shares: dict[TopicPartition, _Share] = {}
        self._caps: dict[TopicPartition, RatioCap] = {}
        self._held_s: float | None = None
        self._retries = Retries(settings.give_up_s)
        self._watch = ProgressWatch(settings.stuck_after_s)
        self._room = False
        self._open: list[LogConsumer | LogProducer] = []
        try:
            self._join()
        except BaseException:
            self.close()
            raise

    def run(self) -> None:
        """Turns until `stop` is set, then leaves the group.

        Raises:
            BadTopic: too many records of a partition cannot be keyed.
            Fenced: a newer rekeyer has the name.
            RecordRefused: a record can never be written.
            LogError: the log cannot be read or written, and trying again did not help.
        """
        try:
            while not self._stop.is_set():
                try:
                    if not self._open:
                        self._join()
                    self.turn()
                except LogError as error:
                    self._start_over(error)
                else:
                    self._retries.went_well()
                    self._metrics.connected.set(1)
        finally:
            self.close()

    def turn(self) -> int:
        """One turn; returns how many records it committed. Raises LogError, BadTopic."""
        records = self._poll(WAIT_S if self._shares else self._settings.poll_s)
        self._room = self._room or len(records) < self._settings.batch_records
        started_s = self._monotonic_s()
        self._handle(records)
        committed = self._commit()
        if committed:
            self._metrics.batch_seconds.observe(self._monotonic_s() - started_s)
        self._measure()
        return committed

    def close(self) -> None:
        """Leaves the group. What was not committed is read again by the next."""
        self._forget([*self._caps])
        self._shares.clear()
        self._held_s = None
        self._watch.clear()
        while self._open:
            client = self._open.pop()
            try:
                client.close()
            except LogError as error:
                log.warning(f"a connection ended without a farewell: {error}")

    def _join(self) -> None:
        """The producer comes first: what its like of before left open is then settled."""
        settings = self._settings
        for topic in (settings.source, settings.target):
            self._log.partitions_for(topic)
        name = rekey_transactions(settings.group) + settings.member_id
        self._producer = self._log.producer(name)
        self._open.append(self._producer)
        self._consumer = self._log.consumer(
            rekey_group(settings.group),
            [settings.source],
            member_id=settings.member_id,
            listener=self,
        )
        self._open.append(self._consumer)
        self._next_lag_s = -math.inf

    def _start_over(self, error: LogError) -> None:
        """Drops all, waits a little, so that the next turn joins anew. Raises what is for good."""
        wait_s = self._retries.failed(error, self._monotonic_s())
        log.warning(f"joining anew in {wait_s:.1f} s: {error}")
        self._metrics.connected.set(0)
        self._metrics.rejoins.labels(type(error).__name__).inc()
        self.close()
        self._stop.wait(wait_s)

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Drops what was not committed of partitions that go elsewhere."""
        for at in partitions:
            self._shares.pop(at, None)
        self._forget(partitions)

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """New partitions are read at once, unless a commit waits."""
        for at in partitions:
            self._caps[at] = RatioCap(self._settings.bad_ratio_cap)
        if self._held_s is not None:
            self._consumer.pause(partitions)
        self._metrics.partitions.set(len(self._caps))

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        for at in partitions:
            self._caps.pop(at, None)
            self._metrics.forget(at.partition)
        self._metrics.partitions.set(len(self._caps))

    def _poll(self, timeout_s: float) -> list[LogRecord]:
        try:
            return self._consumer.poll(self._settings.batch_records, timeout_s)
        except OffsetOutOfRange as error:
            if error.topic is None or error.partition is None:
                raise
            self._resettle(TopicPartition(error.topic, error.partition), error.offset)
            return []

    def _resettle(self, at: TopicPartition, stood: int | None) -> None:
        """Goes on at the earliest record: the log no longer holds the place where we stood."""
        reader = self._log.reader([at])
        earliest = reader.positions()[at]
        reader.close()
        self._consumer.seek(at, earliest)
        lost = max(earliest - (earliest if stood is None else stood), 0)
        self._metrics.lost.inc(lost)
        log.error(
            f"offset {stood} is not in the topic, going on at {earliest}: "
            + (
                f"it dropped {lost} records before they were read, rekeying is too slow or the "
                "topic's retention too short"
                if lost
                else "it was made anew"
            ),
            topic=at.topic,
            partition=at.partition,
        )

    def _handle(self, records: list[LogRecord]) -> None:
        """Keys the records. Raises BadTopic, LogError."""
        if records and self._held_s is not None:
            raise LogError("records came while all partitions are paused; start again")
        for record in records:
            at = TopicPartition(record.topic, record.partition)
            share = self._shares.setdefault(at, _Share(record.offset))
            try:
                self._key(record, share, self._caps[at])
            except TooManyBadRecords as error:
                raise BadTopic(at.topic, at.partition, error) from error
            share.offset = record.offset + 1

    def _key(self, record: LogRecord, share: _Share, cap: RatioCap) -> None:
        share.counts["records"] += 1
        try:
            found = self._keys.keyed(record.value, record_time_s=record.timestamp_s)
            made = [self._output(record, part.account, part.value) for part in found.parts]
        except MalformedRecord as error:
            share.out.dead_letters.append(deadletters.from_log(record, error))
            cap.bad(error)
            return
        cap.good()
        share.records += made
        share.counts["written"] += len(made)
        share.counts[_kind(found)] += 1

    def _output(self, record: LogRecord, account: str, value: bytes) -> OutputRecord:
        """The keyed record. Raises MalformedRecord for what the input topic would not take."""
        key = account.encode("utf-8", "replace")
        size = len(key) + len(value) + _OVERHEAD_BYTES
        size += sum(len(name.encode()) + len(inner) for name, inner in record.headers)
        if size > self._settings.max_record_bytes:
            raise MalformedRecord(
                "",
                f"at most {self._settings.max_record_bytes} bytes with key and headers",
                f"{size} bytes",
            )
        # A record of Kafka's first format has no time: -1.
        at_s = max(record.timestamp_s, 0.0)
        return OutputRecord(self._settings.target, key, value, at_s, record.headers)

    def _commit(self) -> int:
        """Commits what was handled; how many records that is. 0 when it could not be done yet."""
        if not self._shares:
            self._release()
            return 0
        outputs = [record for share in self._shares.values() for record in share.records]
        outputs += [r for share in self._shares.values() for r in output_records(share.out)]
        offsets = {at: share.offset for at, share in self._shares.items()}
        try:
            if not self._send(outputs, offsets):
                return 0
        except GroupMoved as error:
            self._hold(error)
            return 0
        done, self._shares = self._shares, {}
        self._release()
        for share in done.values():
            self._metrics.committed(share.counts, share.out.dead_letters)
        return sum(share.counts["records"] for share in done.values())

    def _send(self, outputs: list[OutputRecord], offsets: dict[TopicPartition, int]) -> bool:
        """Commits; waits while the log is full. False when told to stop meanwhile.

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

    def _hold(self, error: GroupMoved) -> None:
        """Keeps all partitions still until what was handled is committed or given away.

        Raises Evicted when the group does not come to rest.
        """
        now_s = self._monotonic_s()
        self._metrics.held.inc()
        if self._held_s is None:
            self._held_s = now_s
            self._consumer.pause(self._caps)
        elif now_s - self._held_s >= self._settings.give_up_s:
            raise Evicted(f"the group has not come to rest for long: {error}") from error

    def _release(self) -> None:
        if self._held_s is not None:
            self._held_s = None
            self._consumer.resume(self._caps)

    def _measure(self) -> None:
        now_s = self._monotonic_s()
        if now_s < self._next_lag_s:
            return
        self._next_lag_s = now_s + self._settings.lag_every_s
        positions, ends = self._consumer.positions(), self._consumer.end_offsets()
        for at, end in ends.items():
            if at in positions:
                self._metrics.lag.labels(str(at.partition)).set(max(end - positions[at], 0))
        read = {} if self._held_s is not None else self._caps
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


def _kind(found: Keyed) -> str:
    """What is counted of a record that could be read."""
    if not found.parts:
        return "empty"
    if found.mixed:
        return "mixed"
    return "cut" if len(found.parts) > 1 else "whole"
