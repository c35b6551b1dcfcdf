"""The role `cohorts`: sightings of all workers in, campaigns out.

    poll → sightings in the order of the log → cohort book, cut at epochs → one transaction with the
    campaigns' state, members' verdicts, alerts and the offset

A cohort needs all link keys of an account, so the topic has one partition and one process holds the
book; further ones wait, and one of them takes over when it dies. State is rebuilt from the topic:
a process that takes the partition over reads it silently up to the committed offset. The topic's
retention is the longest memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from detector.campaign_desk import CampaignDesk
from detector.campaign_run import CampaignRun
from detector.cohort_records import SIGHTINGS, campaign_records, read_sighting
from detector.errors import BadTopic
from detector.features import schema_hash
from detector.group_member import WAIT_S, GroupMember
from detector.group_names import cohorts_group, cohorts_transactions
from detector.links.book import CohortSettings
from detector.links.sighting import Sighting
from detector.member_settings import MemberSettings
from detector.metrics import CohortsMetrics
from detector.output_records import output_records
from detector.outputs import Outputs
from detector.policy import Policy
from streams import deadletters
from streams.deadletters import RatioCap
from streams.errors import MalformedRecord, TooManyBadRecords
from streams.log import Log, LogError, LogReader, LogRecord, OutputRecord, TopicPartition

REBUILD_RECORDS = 5000


@dataclass(slots=True)
class _Share:
    """A partition's share of one transaction; `offset` is the first that is not in it."""

    offset: int
    records: list[OutputRecord] = field(default_factory=list)
    out: Outputs = field(default_factory=Outputs)
    count: int = 0
    opened: int = 0
    verdicts: int = 0


@dataclass(slots=True)
class _Held:
    """The state of a partition that is ours.

    Attributes:
        committed: where the silent replay ends; `reader`: what it reads with, None once it is live.
    """

    run: CampaignRun
    cap: RatioCap
    committed: int
    reader: LogReader | None


class CohortsRole:
    """One member of the group; one thread calls it. Implements `group_member.Role`."""

    def __init__(
        self,
        log_: Log,
        settings: MemberSettings,
        cohorts: CohortSettings,
        policy: Policy,
        metrics: CohortsMetrics,
        stop: threading.Event,
        *,
        monotonic_s: Callable[[], float],
    ) -> None:
        """Joins the group. Raises UnknownTopic, LogError."""
        self._log = log_
        self._settings = settings
        self._cohorts = cohorts
        self._policy = policy
        self._metrics = metrics
        self._monotonic_s = monotonic_s
        self._held: dict[TopicPartition, _Held] = {}
        self._live: dict[TopicPartition, None] = {}
        self._member: GroupMember[_Share] = GroupMember(
            log_,
            self,
            settings,
            metrics.member,
            stop,
            live=self._live.keys(),
            monotonic_s=monotonic_s,
        )
        self._member.start()

    def run(self) -> None:
        """Turns until told to stop, then leaves the group. Raises as `GroupMember.run`."""
        self._member.run()

    def turn(self) -> int:
        """One turn; returns how many records it committed. Raises LogError, BadTopic."""
        settings = self._settings
        behind = len(self._live) < len(self._held)
        patience_s = WAIT_S if self._member.waiting or behind else settings.poll_s
        records = self._member.poll(settings.batch_records, patience_s)
        started_s = self._monotonic_s()
        if behind and not self._member.held:
            self._rebuild()
        self._handle(records)
        done = self._member.commit().values()
        for share in done:
            self._metrics.committed(
                share.count, share.opened, share.verdicts, share.out.dead_letters
            )
        committed = sum(share.count for share in done)
        if committed:
            self._metrics.member.batch_seconds.observe(self._monotonic_s() - started_s)
        self._member.measure()
        return committed

    def close(self) -> None:
        """Leaves the group. What was not committed is read again by the next."""
        self.on_revoked([*self._held])
        self._member.leave()

    def join(self) -> None:
        """Connects and joins the group. Raises LogError."""
        settings = self._settings
        if self._log.partitions_for(SIGHTINGS) != 1:
            raise LogError(f"{SIGHTINGS!r} must have one partition", topic=SIGHTINGS)
        self._member.open_producer(cohorts_transactions(settings.group) + settings.member_id)
        self._member.open_consumer(cohorts_group(settings.group), SIGHTINGS)

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Drops the state of what goes elsewhere: all of it is in the log."""
        for at in partitions:
            self._member.waiting.pop(at, None)
            self._live.pop(at, None)
            held = self._held.pop(at, None)
            if held is not None and held.reader is not None:
                held.reader.close()
            self._metrics.member.forget(at.partition)
        self._metrics.member.partitions.set(len(self._held))

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Keeps a new partition still until its state is rebuilt."""
        self._member.consumer.pause(partitions)
        committed = self._member.consumer.committed()
        for at in partitions:
            self._held[at] = self._new(at, committed.get(at) or 0)
        self._metrics.member.partitions.set(len(self._held))

    def passed_over(self, at: TopicPartition, earliest: int, lost: int) -> None:
        """A topic that was made anew has another story."""
        if not lost and at in self._held:
            self._live.pop(at, None)
            self._member.consumer.pause([at])
            self._held[at] = self._new(at, earliest)

    def _new(self, at: TopicPartition, committed: int) -> _Held:
        desk = CampaignDesk(self._policy, "cohorts", schema_hash())
        run = CampaignRun(self._cohorts, desk)
        return _Held(run, RatioCap(self._settings.bad_ratio_cap), committed, self._log.reader([at]))

    def _rebuild(self) -> None:
        """A part of the silent replay of each partition that is not live yet."""
        for at, held in self._held.items():
            reader = held.reader
            if reader is None:
                continue
            stands = reader.positions()[at]
            if stands < held.committed:
                records = reader.poll(REBUILD_RECORDS, WAIT_S)
                held.run.add(_readable(r for r in records if r.offset < held.committed))
                stands = reader.positions()[at]
            if stands >= held.committed:
                reader.close()
                held.reader = None
                self._live[at] = None
                self._member.consumer.seek(at, max(held.committed, self._earliest(at)))
                self._member.consumer.resume([at])

    def _earliest(self, at: TopicPartition) -> int:
        reader = self._log.reader([at])
        try:
            return reader.positions()[at]
        finally:
            reader.close()

    def _handle(self, records: list[LogRecord]) -> None:
        """Takes the records into the book. Raises BadTopic."""
        for at in {TopicPartition(record.topic, record.partition): None for record in records}:
            held = self._held[at]
            share = _Share(0)
            sightings = []
            for record in records:
                share.offset = record.offset + 1
                share.count += 1
                try:
                    sightings.append(read_sighting(record.value))
                    held.cap.good()
                except MalformedRecord as error:
                    share.out.dead_letters.append(deadletters.from_log(record, error))
                    try:
                        held.cap.bad(error)
                    except TooManyBadRecords as much:
                        raise BadTopic(at.topic, at.partition, much) from much
            found = held.run.add(sightings)
            share.opened = sum(change.change == "opened" for change in found.changes)
            share.verdicts = len(found.verdicts)
            share.records = [*campaign_records(found), *output_records(share.out)]
            self._member.waiting[at] = share


def _readable(records: Iterable[LogRecord]) -> list[Sighting]:
    """What could be read of records that were handled before."""
    found = []
    for record in records:
        try:
            found.append(read_sighting(record.value))
        except MalformedRecord:
            continue  # it is a dead letter already
    return found
