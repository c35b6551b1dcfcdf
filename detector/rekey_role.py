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

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from detector.errors import BadTopic
from detector.group_member import WAIT_S, GroupMember
from detector.group_names import rekey_group, rekey_transactions
from detector.metrics import RekeyMetrics
from detector.output_records import output_records
from detector.outputs import Outputs
from detector.rekey_settings import RekeySettings
from streams import deadletters
from streams.account_keys import AccountKeys, Keyed
from streams.deadletters import RatioCap
from streams.errors import MalformedRecord, TooManyBadRecords
from streams.log import Log, LogRecord, OutputRecord, TopicPartition

_OVERHEAD_BYTES = 128
"""More than a record's own fields take in a batch, as the producer counts."""


@dataclass(slots=True)
class _Share:
    """A partition's share of one transaction; `offset` is the first that is not in it."""

    offset: int
    records: list[OutputRecord] = field(default_factory=list)
    out: Outputs = field(default_factory=Outputs)
    counts: Counter[str] = field(default_factory=Counter)


class RekeyRole:
    """One member of the group; one thread calls it. Implements `group_member.Role`."""

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
        self._monotonic_s = monotonic_s
        self._caps: dict[TopicPartition, RatioCap] = {}
        self._member: GroupMember[_Share] = GroupMember(
            log_,
            self,
            settings,
            metrics.member,
            stop,
            live=self._caps.keys(),
            monotonic_s=monotonic_s,
        )
        self._member.start()

    def run(self) -> None:
        """Turns until told to stop, then leaves the group. Raises as `GroupMember.run`."""
        self._member.run()

    def turn(self) -> int:
        """One turn; returns how many records it committed. Raises LogError, BadTopic."""
        settings = self._settings
        patience_s = WAIT_S if self._member.waiting else settings.poll_s
        records = self._member.poll(settings.batch_records, patience_s)
        started_s = self._monotonic_s()
        self._handle(records)
        done = self._member.commit().values()
        for share in done:
            self._metrics.committed(share.counts, share.out.dead_letters)
        committed = sum(share.counts["records"] for share in done)
        if committed:
            self._metrics.member.batch_seconds.observe(self._monotonic_s() - started_s)
        self._member.measure()
        return committed

    def close(self) -> None:
        """Leaves the group. What was not committed is read again by the next."""
        self.on_revoked([*self._caps])
        self._member.leave()

    def join(self) -> None:
        """Connects and joins the group. Raises LogError."""
        settings = self._settings
        for topic in (settings.source, settings.target):
            self._log.partitions_for(topic)
        self._member.open_producer(rekey_transactions(settings.group) + settings.member_id)
        self._member.open_consumer(rekey_group(settings.group), settings.source)

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Drops what was not committed of partitions that go elsewhere."""
        for at in partitions:
            self._member.waiting.pop(at, None)
            self._caps.pop(at, None)
            self._metrics.member.forget(at.partition)
        self._metrics.member.partitions.set(len(self._caps))

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """New partitions are read at once, unless a commit waits."""
        for at in partitions:
            self._caps[at] = RatioCap(self._settings.bad_ratio_cap)
        if self._member.held:
            self._member.consumer.pause(partitions)
        self._metrics.member.partitions.set(len(self._caps))

    def passed_over(self, at: TopicPartition, earliest: int, lost: int) -> None:
        """Nothing is remembered between records, so there is nothing to correct."""

    def _handle(self, records: list[LogRecord]) -> None:
        """Keys the records. Raises BadTopic."""
        shares: dict[TopicPartition, _Share] = {}
        for record in records:
            at = TopicPartition(record.topic, record.partition)
            share = shares.setdefault(at, _Share(record.offset))
            try:
                self._key(record, share, self._caps[at])
            except TooManyBadRecords as error:
                raise BadTopic(at.topic, at.partition, error) from error
            share.offset = record.offset + 1
        for share in shares.values():
            share.records += output_records(share.out)
        self._member.waiting.update(shares)

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


def _kind(found: Keyed) -> str:
    """What is counted of a record that could be read."""
    if not found.parts:
        return "empty"
    if found.mixed:
        return "mixed"
    return "cut" if len(found.parts) > 1 else "whole"
