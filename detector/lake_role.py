"""The role `lake`: a consumer group that copies requests, scores and alerts into the lake.

    poll → rows by partition → (enough rows, or old enough) → files → commit

Files are whole before their offsets are committed, and files that were never committed are
removed when their partition is assigned, so every record up to the committed offset is in the
lake once, whatever dies (see `lake_ranges`). The role keeps no state: `new_pieces` of a fact is
null, and a duplicate is known only among the last event ids since the partition was assigned.

A request record that cannot be read is only counted here: the worker, which reads the same topic,
makes its dead letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import structlog
from numpy.typing import NDArray

from detector.duplicates import RecentIds
from detector.group_names import lake_group
from detector.lake_files import LakeError, LakeFiles
from detector.lake_ranges import OffsetRange, settle, writer_tag
from detector.lake_records import read_alert, read_score
from detector.lake_rows import LakeRows
from detector.lake_tables import TABLES
from detector.metrics import LakeMetrics
from detector.output_records import ALERTS, SCORES
from streams.clock import PartitionClock
from streams.errors import MalformedRecord
from streams.intake import Intake, IntakeSettings
from streams.log import Fenced, Log, LogError, LogRecord, OffsetOutOfRange, TopicPartition
from streams.record import ApiRequest

ASK_EVERY_S = 5.0
"""A log without news is asked so often whether it would answer."""

COMMIT_TRIES = 10
"""A commit that fails, as in a rebalance, is tried again after so many polls in a row at most."""


@dataclass(frozen=True, slots=True)
class LakeRoleSettings:
    """How the role reads and when it writes.

    Attributes:
        group: the workers' consumer group; this role's is named after it.
        input_topic: topic of the request logs.
        intake: how request records are read; as for the worker.
        flush_rows, flush_s: rows held, and age of the oldest, at which all is written.
        poll_records: records of one poll.
        recent_ids: event ids remembered a partition to drop duplicates.
    """

    group: str = "stillwatch"
    input_topic: str = "llm.requests"
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    flush_rows: int = 50_000
    flush_s: float = 60.0
    poll_records: int = 2000
    recent_ids: int = 100_000

    @property
    def lake_group(self) -> str:
        """The consumer group of this role."""
        return lake_group(self.group)


@dataclass(slots=True)
class _Share:
    """What is held of one partition: rows of the offsets from `first` up to `end`."""

    first: int
    end: int
    intake: Intake
    recent: RecentIds
    rows: LakeRows = field(default_factory=LakeRows)


class LakeRole:
    """One member of the group; one thread calls it. Implements `streams.log.RebalanceListener`.

    After an error a member is done: close it; the next owner sets its files right. `counts` holds
    what happened so far, under the names of `LakeMetrics.counts`.
    """

    def __init__(
        self,
        log: Log,
        files: LakeFiles,
        settings: LakeRoleSettings,
        metrics: LakeMetrics,
        *,
        member_id: str,
        monotonic_s: Callable[[], float],
    ) -> None:
        """`member_id` is unique among living members; its tag is in the files' names.

        Raises UnknownTopic.
        """
        self.counts: Counter[str] = Counter()
        self._log = log
        self._files = files
        self._settings = settings
        self._metrics = metrics
        self._writer = writer_tag(member_id)
        self._monotonic_s = monotonic_s
        self._shares: dict[TopicPartition, _Share] = {}
        self._pending: dict[TopicPartition, int] = {}  # written, to be committed
        self._untried: list[str] = []  # files that no commit was tried for
        self._failed_commits = 0
        self._oldest_s: float | None = None
        self._heard_s = monotonic_s()
        self._trouble: Exception | None = None
        self._say = structlog.get_logger()
        topics = [settings.input_topic, SCORES, ALERTS]
        self._consumer = log.consumer(
            settings.lake_group, topics, member_id=member_id, listener=self
        )

    def step(self, timeout_s: float) -> int:
        """Polls once, takes what came, writes when it is time; returns the number of records.

        Raises:
            LakeError: the store cannot be written; nothing of it was committed.
            Fenced: the group threw this member out; what it wrote last is removed.
            LogError: the log does not answer.
        """
        try:
            records = self._consumer.poll(self._settings.poll_records, timeout_s)
        except OffsetOutOfRange as error:
            self._pass_over(error)
            records = []
        if self._trouble is not None:  # a client may swallow what its listener raises
            trouble, self._trouble = self._trouble, None
            raise trouble
        parts: dict[TopicPartition, list[LogRecord]] = {}
        for record in records:
            parts.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
        for tp, part in parts.items():
            self._take(tp, part)
        if records and self._oldest_s is None:
            self._oldest_s = self._monotonic_s()
        if self._due():
            self.flush()
        elif self._pending:
            self._commit(self._pending)
        self._listen(bool(records))
        return len(records)

    def flush(self) -> None:
        """Writes all that is held and commits. Raises as `step`."""
        self._write(list(self._shares))
        self._oldest_s = None
        positions, ends = self._consumer.positions(), self._consumer.end_offsets()
        for tp, share in self._shares.items():
            self._metrics.progress(tp, ends[tp] - positions[tp], share.first)

    def close(self) -> None:
        """Leaves the group. What is not flushed is read again by the next owner."""
        for tp in self._shares:
            self._metrics.forget(tp)
        self._shares.clear()
        self._pending.clear()
        self._consumer.close()

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Writes and commits what is held of these, then forgets them."""
        try:
            self._write([tp for tp in partitions if tp in self._shares])
        except (LakeError, Fenced) as error:
            self._trouble = error
        for tp in partitions:
            self._shares.pop(tp, None)
            self._pending.pop(tp, None)
            self._metrics.forget(tp)

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Removes what was written of these and never committed, and begins after the rest."""
        try:
            positions = self._settle(partitions)
        except LakeError as error:
            self._trouble = error
            return
        for tp in partitions:
            at = positions[tp]
            self._shares[tp] = _Share(
                at, at, Intake(self._settings.intake), RecentIds(self._settings.recent_ids)
            )

    def _settle(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where to begin each partition, its files set right."""
        found: dict[TopicPartition, dict[OffsetRange, list[str]]] = {tp: {} for tp in partitions}
        for table in TABLES:
            for path in self._files.names(table):
                made = OffsetRange.of_file(path)
                if made is not None and made.source in found:
                    found[made.source].setdefault(made, []).append(path)
        positions, ends = self._consumer.positions(), self._consumer.end_offsets()
        for tp, ranges in found.items():
            last = max((one.end for one in ranges), default=0)
            if last > ends[tp]:
                raise LakeError(
                    self._files.url,
                    f"holds {tp.topic} partition {tp.partition} up to offset {last}, but the topic "
                    f"ends at {ends[tp]}: it is not the topic that this store was written from; "
                    "name another store with --lake",
                )
            plan = settle(ranges, positions[tp])
            for one in sorted(plan.remove):
                self._files.remove(ranges[one])
                self._count("removed", len(ranges[one]))
            if plan.position != positions[tp]:
                self._say.warning(
                    "offsets were set back; records that the lake has are passed over",
                    topic=tp.topic, partition=tp.partition, to=plan.position,
                )  # fmt: skip
                self._consumer.seek(tp, plan.position)
            positions[tp] = plan.position
        return positions

    def _listen(self, news: bool) -> None:
        """Raises Unreachable for a log that has sent nothing for long and does not answer."""
        now_s = self._monotonic_s()
        if not news and now_s - self._heard_s < ASK_EVERY_S:
            return
        if not news:
            self._consumer.end_offsets()
        self._heard_s = now_s

    def _due(self) -> bool:
        if self._oldest_s is None:
            return False
        held = sum(share.rows.count for share in self._shares.values())
        age_s = self._monotonic_s() - self._oldest_s
        return held >= self._settings.flush_rows or age_s >= self._settings.flush_s

    def _write(self, partitions: Sequence[TopicPartition]) -> None:
        """Files, then offsets."""
        for tp in partitions:
            share = self._shares[tp]
            if share.end == share.first:
                continue
            name = OffsetRange(tp, share.first, share.end, self._writer).file_name
            for folder, rows in share.rows.files():
                self._untried.append(f"{folder}/{name}")
                self._files.write(f"{folder}/{name}", rows)
                self._count("files")
            share.first = self._pending[tp] = share.end
            share.rows.clear()
        self._commit({tp: self._pending[tp] for tp in partitions if tp in self._pending})

    def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commits what was written. After a failure the next step tries again.

        Fenced means that nothing was committed and somebody else writes these records: the files
        are removed. After another failure nobody knows, so they stay: `settle` tells later.
        """
        if not offsets:
            return
        untried, self._untried = self._untried, []
        try:
            self._consumer.commit(offsets)
        except Fenced:
            self._files.remove(untried)
            raise
        except LogError as error:
            self._failed_commits += 1
            if self._failed_commits > COMMIT_TRIES:
                raise
            self._say.warning("the commit is tried again", reason=str(error))
            return
        self._failed_commits = 0
        self._pending = {tp: at for tp, at in self._pending.items() if tp not in offsets}
        self._count("flushes")

    def _count(self, name: str, by: int = 1) -> None:
        self.counts[name] += by
        self._metrics.counts[name].inc(by)

    def _take(self, tp: TopicPartition, records: Sequence[LogRecord]) -> None:
        share = self._shares[tp]
        take = {SCORES: self._take_scores, ALERTS: self._take_alerts}.get(
            tp.topic, self._take_requests
        )
        take(share, records)
        share.end = records[-1].offset + 1
        self._count("records", len(records))

    def _take_requests(self, share: _Share, records: Sequence[LogRecord]) -> None:
        requests: list[ApiRequest] = []
        stamps: list[float] = []
        for record in records:
            try:
                found = share.intake.read(record.value, record_time_s=record.timestamp_s)
            except MalformedRecord:
                self._count("bad_requests")
                continue
            for request, fresh in zip(found, share.recent.fresh(found), strict=True):
                if fresh:
                    requests.append(request)
                    stamps.append(record.timestamp_s)
                else:
                    self._count("duplicates")
        if requests:
            share.rows.add_facts(requests, _times(requests, stamps), None)
            self._count("facts", len(requests))

    def _take_scores(self, share: _Share, records: Sequence[LogRecord]) -> None:
        rows = []
        for record in records:
            try:
                rows.append(read_score(record.value))
            except MalformedRecord as error:
                self._bad_output(record, error)
        share.rows.add_scores(rows)
        self._count("scores", len(rows))

    def _take_alerts(self, share: _Share, records: Sequence[LogRecord]) -> None:
        for record in records:  # one by one: they are few, and one that fits no column harms none
            try:
                share.rows.add_alerts([read_alert(record.value)])
            except (MalformedRecord, pa.ArrowException, ValueError, OverflowError) as error:
                self._bad_output(record, error)
            else:
                self._count("alerts")

    def _bad_output(self, record: LogRecord, error: Exception) -> None:
        """An output of ours that cannot be read: of a later release, or somebody else's."""
        self._count("bad_outputs")
        self._say.warning(
            "an output record cannot be read and is not in the lake",
            topic=record.topic, partition=record.partition, offset=record.offset,
            reason=str(error),
        )  # fmt: skip

    def _pass_over(self, error: OffsetOutOfRange) -> None:
        """Goes on at the earliest record where retention has overtaken the lake; says so."""
        if error.topic is None or error.partition is None:
            raise error
        tp = TopicPartition(error.topic, error.partition)
        if tp not in self._shares:
            raise error
        self.flush()
        reader = self._log.reader([tp])
        try:
            earliest = reader.positions()[tp]
        finally:
            reader.close()
        share = self._shares[tp]
        if earliest <= share.end:
            raise error
        self._count("lost", earliest - share.end)
        self._say.warning(
            "records left the log before the lake read them",
            topic=tp.topic, partition=tp.partition, first=share.end, end=earliest,
        )  # fmt: skip
        self._consumer.seek(tp, earliest)
        share.first = share.end = earliest


def _times(requests: Sequence[ApiRequest], stamps: Sequence[float]) -> NDArray[np.float64]:
    """Event times in force, shape (n,): by the worker's rule (`detector.partition`), the record's
    own time where a request tells none or one that is more than an hour ahead of it.
    """
    told = np.array([r.event_time_s for r in requests], np.float64)
    stamped = np.array(stamps, np.float64)
    ahead = PartitionClock().advance(told, stamped).ahead
    return np.where(np.isnan(told) | ahead, stamped, told)
