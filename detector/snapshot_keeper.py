"""Writes snapshots of a worker's partitions while the stream goes on.

A cut is taken right after a commit, when state and committed offset agree. Its rows are copied
slice by slice between turns (`changed_rows`), and written by another thread (`snapshot_job`). One
cut at a time. A snapshot that cannot be written is a warning and a count, and tried again later:
the log holds all that is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import msgspec
import structlog

from detector.changed_rows import ChangedRows
from detector.features import schema_hash
from detector.metrics import SnapshotMetrics
from detector.partition_dump import PartitionDump
from detector.shard import Shard
from detector.snapshot_head import Head, Kind, Mark, Place, row_layout
from detector.snapshot_job import SnapshotJob
from detector.snapshot_load import SnapshotLoad
from detector.snapshot_names import SnapshotName
from detector.snapshot_sections import TableShape, rows_section, shapes_of, small_sections
from detector.snapshot_store import Loaded, SnapshotStore
from detector.worker_settings import SnapshotSettings
from streams.log import TopicPartition

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Base:
    """What a changed snapshot builds on."""

    name: SnapshotName
    check: str
    links: int
    link_bytes: int


@dataclass(slots=True)
class _Track:
    """A partition that is watched."""

    shard: Shard
    place: Place
    writer: str
    tables: tuple[ChangedRows, ...]
    base: _Base | None
    stale: tuple[SnapshotName, ...]
    saved: tuple[int, int]
    saved_s: float
    next_s: float
    next_full_s: float
    sequence: int = 0

    @property
    def stand(self) -> tuple[int, int]:
        """Changes whenever something was committed."""
        return self.shard.next_offset, len(self.shard.marks)


@dataclass(slots=True)
class _Cut:
    """A snapshot that is being taken."""

    track: _Track
    name: SnapshotName
    links: int
    link_bytes: int
    stand: tuple[int, int]
    shapes: list[TableShape]
    dump: PartitionDump
    job: SnapshotJob
    since_s: float
    left: list[tuple[int, ChangedRows]] = field(default_factory=list)
    handed: bool = False


class SnapshotKeeper:
    """The snapshots of one worker; one thread calls it."""

    def __init__(
        self,
        store: SnapshotStore,
        settings: SnapshotSettings,
        metrics: SnapshotMetrics,
        *,
        group: str,
        partitions_of: Callable[[str], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        """`partitions_of` tells how many partitions a topic has."""
        self.settings = settings
        self._store = store
        self._metrics = metrics
        self._group = group
        self._partitions_of = partitions_of
        self._monotonic_s = monotonic_s
        self._tracks: dict[TopicPartition, _Track] = {}
        self._cut: _Cut | None = None

    @property
    def busy(self) -> bool:
        """Whether a cut has rows to be copied, so that turns should not be long."""
        return self._cut is not None and not self._cut.handed and self._cut.job.room

    def search(self, at: TopicPartition, committed: int, past: Iterable[Mark]) -> SnapshotLoad:
        """Begins to look for a state of a partition up to its committed offset."""
        return SnapshotLoad(self._store, self._place(at), committed, tuple(past))

    def begin(
        self, shard: Shard, token: str, loaded: Loaded | None, stale: tuple[SnapshotName, ...] = ()
    ) -> None:
        """Watches a partition from its present state on.

        token: new with each take-over.
        loaded: the snapshot that the state comes from, if any: the next one builds on it.
        stale: files that go with the next full one.
        """
        self.drop(shard.at)
        now_s = self._monotonic_s()
        state = shard.partition.state
        every_s = self.settings.changed_every_s
        self._tracks[shard.at] = _Track(
            shard=shard,
            place=self._place(shard.at),
            writer=hashlib.blake2b(token.encode(), digest_size=4).hexdigest(),
            tables=tuple(ChangedRows(t) for t in (state.accounts, state.end_users, state.keys)),
            base=_base_of(loaded) if loaded else None,
            stale=stale,
            saved=(shard.next_offset, len(shard.marks)),
            saved_s=now_s,
            next_s=now_s + every_s,
            next_full_s=now_s + (self.settings.full_every_s if loaded else every_s),
        )

    def drop(self, at: TopicPartition) -> None:
        """Watches a partition no longer; a snapshot of it that is not written yet is given up."""
        track = self._tracks.pop(at, None)
        if track is None:
            return
        if self._cut is not None and self._cut.track is track:
            self._cut.job.cancel()
            self._cut = None
        for rows in track.tables:
            rows.detach()
        self._metrics.forget(at.partition)

    def turn(self, settled: Mapping[TopicPartition, Shard]) -> None:
        """Does a little: begins a cut that is due, hands rows over, or ends it.

        settled: the partitions whose state is what was committed.
        """
        start_s = self._monotonic_s()
        if self._cut is None:
            track = self._due(settled, start_s)
            if track is None:
                return
            self._begin(track, start_s)
        elif not self._go_on(self._cut, start_s):
            return
        self._metrics.pause_seconds.observe(self._monotonic_s() - start_s)

    def last(self, shards: Iterable[Shard]) -> None:
        """Snapshots of partitions that go, whose state is what was committed: those that are cheap.

        Blocks for `last_s` at most.
        """
        settings = self.settings
        give_up_s = self._monotonic_s() + settings.last_s
        for shard in shards:
            track = self._tracks.get(shard.at)
            now_s = self._monotonic_s()
            if track is None or track.saved == track.stand or now_s >= give_up_s:
                continue
            size = self._size(track, whole=self._base(track, now_s) is None)
            if size > settings.last_bytes:
                log.info(f"no last snapshot: {size:,} bytes have changed", **_where(track))
                continue
            if self._cut is not None:
                self._give_up(self._cut, None)
            cut = self._begin(track, now_s)
            while self._cut is cut and now_s < give_up_s:
                cut.job.wait(0.0 if self.busy else min(give_up_s - now_s, 0.02))
                now_s = self._monotonic_s()
                self._go_on(cut, now_s)
            if self._cut is cut:
                self._give_up(cut, None)
                log.info("no last snapshot: the store is too slow", **_where(track))

    def measure(self) -> None:
        """Tells how old the snapshots are."""
        now_s = self._monotonic_s()
        for at, track in self._tracks.items():
            age_s = 0.0 if track.saved == track.stand else now_s - track.saved_s
            self._metrics.age(at.partition, age_s)

    def _place(self, at: TopicPartition) -> Place:
        return Place(self._group, at.topic, self._partitions_of(at.topic), at.partition)

    def _due(self, settled: Mapping[TopicPartition, Shard], now_s: float) -> _Track | None:
        due = [
            track
            for at, track in self._tracks.items()
            if track.next_s <= now_s and settled.get(at) is track.shard
        ]
        for track in sorted(due, key=lambda track: track.next_s):
            if track.saved != track.stand:
                return track
            track.next_s = now_s + self.settings.changed_every_s  # nothing came: it still holds
        return None

    def _size(self, track: _Track, *, whole: bool) -> int:
        state = track.shard.partition.state
        tables = (state.accounts, state.end_users, state.keys)
        return sum(
            (len(table) if whole else len(rows)) * table.rows.dtype.itemsize
            for table, rows in zip(tables, track.tables, strict=True)
        )

    def _base(self, track: _Track, now_s: float) -> _Base | None:
        """What the next snapshot builds on; None: it is to be a full one."""
        base, settings = track.base, self.settings
        if base is None or now_s >= track.next_full_s or base.links >= settings.most_links:
            return None
        links = base.link_bytes + self._size(track, whole=False)
        return base if links <= settings.most_link_share * self._size(track, whole=True) else None

    def _begin(self, track: _Track, now_s: float) -> _Cut:
        base = self._base(track, now_s)
        kind: Kind = "changed" if base else "full"
        shard, partition = track.shard, track.shard.partition
        name = SnapshotName(shard.next_offset, track.sequence, kind, track.writer)
        track.sequence += 1
        links = base.links + 1 if base else 0
        link_bytes = base.link_bytes + self._size(track, whole=False) if base else 0
        place = track.place
        head = Head(
            group=place.group,
            topic=place.topic,
            partition=place.partition,
            partitions=place.partitions,
            next_offset=shard.next_offset,
            anchor=shard.anchor,
            marks=tuple(shard.marks),
            kind=kind,
            base=str(base.name) if base else None,
            base_check=base.check if base else None,
            links=links,
            link_bytes=link_bytes,
            feature_schema=schema_hash(),
            layout=row_layout(),
            policy=partition.policy.stamp,
            model=partition.model,
        )
        for rows in track.tables:
            rows.cut(whole=base is None)
        job = SnapshotJob(
            msgspec.json.encode(head),
            partial(self._store.write, place, name),
            partial(_prune, self._store, place, name, track.stale) if base is None else None,
        )
        shapes, dump = shapes_of(partition.state), partition.dump()
        left = [*enumerate(track.tables)]
        cut = _Cut(track, name, links, link_bytes, track.stand, shapes, dump, job, now_s, left)
        self._cut = cut
        return cut

    def _go_on(self, cut: _Cut, now_s: float) -> bool:
        """Hands rows over, or ends the cut; False when there was nothing to do but wait."""
        settings = self.settings
        job = cut.job
        if job.done:
            self._conclude(cut, now_s)
            return True
        if now_s - cut.since_s > settings.write_limit_s:
            self._give_up(cut, f"not written after {settings.write_limit_s:g} s")
            return True
        if sum(rows.early_bytes for rows in cut.track.tables) > settings.most_early_bytes:
            self._give_up(cut, "the store is slower than the rows change")
            return True
        if cut.handed or not job.room:
            return False
        until_s = now_s + settings.slice_s
        while cut.left and job.room:
            number, rows = cut.left[0]
            copies = rows.take(settings.slice_bytes)
            if copies is None:
                cut.left.pop(0)
                continue
            job.put([rows_section(number, copies)])
            if self._monotonic_s() >= until_s:
                break
        if not cut.left:
            cut.handed = True
            job.put(small_sections(cut.shapes, cut.dump))
            job.end()
        return True

    def _conclude(self, cut: _Cut, now_s: float) -> None:
        written = cut.job.written
        if written is None:
            self._give_up(cut, str(cut.job.error or "cancelled"))
            return
        self._cut = None
        track = cut.track
        for rows in track.tables:
            rows.written()
        track.base = _Base(cut.name, written.check, cut.links, cut.link_bytes)
        track.saved, track.saved_s = cut.stand, cut.since_s
        track.next_s = max(cut.since_s + self.settings.changed_every_s, now_s)
        if cut.name.kind == "full":
            track.next_full_s = cut.since_s + self.settings.full_every_s
            track.stale = ()
        self._metrics.written(
            track.place.partition, cut.name.kind, now_s - cut.since_s, written.size
        )

    def _give_up(self, cut: _Cut, problem: str | None) -> None:
        """Ends a cut without a snapshot; a problem is told and counted."""
        cut.job.cancel()
        self._cut = None
        for rows in cut.track.tables:
            rows.give_up()
        cut.track.next_s = self._monotonic_s() + self.settings.changed_every_s
        if problem is not None:
            self._metrics.failures.inc()
            log.warning(
                f"no snapshot was written, the stream goes on: {problem}", **_where(cut.track)
            )


def _base_of(loaded: Loaded) -> _Base:
    return _Base(loaded.name, loaded.check, loaded.head.links, loaded.head.link_bytes)


def _prune(
    store: SnapshotStore, place: Place, newest: SnapshotName, stale: tuple[SnapshotName, ...]
) -> None:
    """Old files that stay are no loss of the new one."""
    try:
        store.prune(place, newest, stale)
    except Exception as error:  # noqa: BLE001  # a store's package may raise anything
        log.warning(f"old snapshots cannot be removed: {error}", partition=place.partition)


def _where(track: _Track) -> dict[str, object]:
    return {"topic": track.place.topic, "partition": track.place.partition}
