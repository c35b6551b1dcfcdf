"""Writes snapshots of a worker's partitions while the stream goes on.

A cut is taken right after a commit, when state and committed offset agree. Its rows are copied
slice by slice between turns (`snapshot_cut`), and written by another thread (`snapshot_job`). One
cut at a time. A snapshot that cannot be written is a warning and a count, and tried again later:
the log holds all that is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import structlog

from detector.metrics import SnapshotMetrics
from detector.shard import Shard
from detector.snapshot_cut import SnapshotCut
from detector.snapshot_head import Mark, Place
from detector.snapshot_load import SnapshotLoad
from detector.snapshot_names import SnapshotName
from detector.snapshot_store import Loaded, SnapshotStore
from detector.snapshot_track import Track
from detector.worker_settings import SnapshotSettings
from streams.log import TopicPartition

log = structlog.get_logger()


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
        self._tracks: dict[TopicPartition, Track] = {}
        self._cut: SnapshotCut | None = None

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
        self._tracks[shard.at] = Track(
            shard,
            self._place(shard.at),
            token,
            loaded,
            stale,
            self.settings,
            self._monotonic_s(),
        )

    def drop(self, at: TopicPartition) -> None:
        """Watches a partition no longer; a snapshot of it that is not written yet is given up."""
        track = self._tracks.pop(at, None)
        if track is None:
            return
        if self._cut is not None and self._cut.track is track:
            self._cut.job.cancel()
            self._cut = None
        track.detach()
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
            self._cut = SnapshotCut(track, self._store, start_s)
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
            size = track.size(whole=track.next_is_full(now_s))
            if size > settings.last_bytes:
                log.info(f"no last snapshot: {size:,} bytes have changed", **_where(track))
                continue
            if self._cut is not None:
                self._give_up(self._cut)
            cut = self._cut = SnapshotCut(track, self._store, now_s)
            while self._cut is cut and now_s < give_up_s:
                cut.job.wait(0.0 if self.busy else min(give_up_s - now_s, 0.02))
                now_s = self._monotonic_s()
                self._go_on(cut, now_s)
            if self._cut is cut:
                self._give_up(cut)
                log.info("no last snapshot: the store is too slow", **_where(track))

    def measure(self) -> None:
        """Tells how old the snapshots are."""
        now_s = self._monotonic_s()
        for at, track in self._tracks.items():
            age_s = 0.0 if track.saved == track.stand else now_s - track.saved_s
            self._metrics.age(at.partition, age_s)

    def _place(self, at: TopicPartition) -> Place:
        return Place(self._group, at.topic, self._partitions_of(at.topic), at.partition)

    def _due(self, settled: Mapping[TopicPartition, Shard], now_s: float) -> Track | None:
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

    def _go_on(self, cut: SnapshotCut, now_s: float) -> bool:
        """Hands rows over, or ends the cut; False when there was nothing to do but wait."""
        if cut.job.done:
            problem = cut.conclude(now_s)
            self._cut = None
            if problem is not None:
                self._failed(cut, problem)
            elif (written := cut.job.written) is not None:
                took_s = now_s - cut.since_s
                place, kind = cut.track.place, cut.head.kind
                self._metrics.written(place.partition, kind, took_s, written.size)
            return True
        problem = cut.problem(self.settings, now_s)
        if problem is not None:
            self._give_up(cut)
            self._failed(cut, problem)
            return True
        return cut.hand_over(self.settings, self._monotonic_s)

    def _give_up(self, cut: SnapshotCut) -> None:
        cut.give_up()
        self._cut = None
        cut.track.next_s = self._monotonic_s() + self.settings.changed_every_s

    def _failed(self, cut: SnapshotCut, problem: str) -> None:
        """Tells and counts; the next try is a period later."""
        cut.track.next_s = self._monotonic_s() + self.settings.changed_every_s
        self._metrics.failures.inc()
        where = _where(cut.track)
        log.warning(f"no snapshot was written, the stream goes on: {problem}", **where)


def _where(track: Track) -> dict[str, object]:
    return {"topic": track.place.topic, "partition": track.place.partition}
