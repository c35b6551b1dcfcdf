"""A snapshot that is being taken: rows copied slice by slice, everything else at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import structlog

from detector.changed_rows import ChangedRows, RowCopies, joined
from detector.snapshot_format import Section
from detector.snapshot_head import Place
from detector.snapshot_job import SnapshotJob
from detector.snapshot_names import SnapshotName
from detector.snapshot_sections import rows_section, shapes_of, small_sections
from detector.snapshot_store import SnapshotStore
from detector.snapshot_track import Track
from detector.worker_settings import SnapshotSettings

log = structlog.get_logger()


class SnapshotCut:
    """The state of a partition at the moment when this is made.

    Attributes:
        track: whose it is.
        job: what writes it.
        name, head: its file's.
        since_s: when it was made.
        handed: whether the job has all of it.
    """

    def __init__(self, track: Track, store: SnapshotStore, now_s: float) -> None:
        """Begins to write it; only when no other cut of the partition is being taken."""
        full = track.next_is_full(now_s)
        name, head = track.next_head(full=full)
        place = track.place
        self.track = track
        self.name, self.head = name, head
        self.since_s = now_s
        self.handed = False
        self._stand = track.stand
        for rows in track.tables:
            rows.cut(whole=full)
        self._left = [*enumerate(track.tables)]
        self._small = small_sections(
            shapes_of(track.shard.partition.state), track.shard.partition.dump()
        )
        self.job = SnapshotJob(
            msgspec.json.encode(head),
            partial(store.write, place, name),
            partial(_prune, store, place, name, track.stale) if full else None,
        )

    def problem(self, settings: SnapshotSettings, now_s: float) -> str | None:
        """Why it should not go on; None while it may."""
        if now_s - self.since_s > settings.write_limit_s:
            return f"not written after {settings.write_limit_s:g} s"
        if sum(rows.early_bytes for rows in self.track.tables) > settings.most_early_bytes:
            return "the store is slower than the rows change"
        return None

    def hand_over(self, settings: SnapshotSettings, monotonic_s: Callable[[], float]) -> bool:
        """Copies rows for the job, for about a slice of time; False when it has to wait."""
        if self.handed or not self.job.room:
            return False
        until_s = monotonic_s() + settings.slice_s
        while self._left and self.job.room:
            number, rows = self._left[0]
            slice_ = _slice(rows, settings.slice_bytes)
            if not slice_:
                self._left.pop(0)
                continue
            self.job.put(_section(number, slice_))
            if monotonic_s() >= until_s:
                break
        if not self._left:
            self.handed = True
            self.job.put(self._small)
            self.job.end()
        return True

    def conclude(self, now_s: float) -> str | None:
        """Ends it once the job is done; why there is no snapshot, or None."""
        written = self.job.written
        if written is None:
            self.give_up()
            return str(self.job.error or "cancelled")
        for rows in self.track.tables:
            rows.written()
        track = self.track
        track.written(self.name, self.head, written.check, self._stand, self.since_s, now_s)
        return None

    def give_up(self) -> None:
        """Ends it without a snapshot: what it held counts as changed again."""
        self.job.cancel()
        for rows in self.track.tables:
            rows.give_up()


def _slice(rows: ChangedRows, most_bytes: int) -> list[RowCopies]:
    """Copies of about that size: rows that had to be copied early come in small pieces."""
    out: list[RowCopies] = []
    while most_bytes > 0 and (copies := rows.take(most_bytes)) is not None:
        out.append(copies)
        most_bytes -= copies.nbytes
    return out


def _section(table: int, copies: list[RowCopies]) -> Iterator[Section]:
    """One section of them; joined on the job's thread."""
    yield rows_section(table, joined(copies))


def _prune(
    store: SnapshotStore, place: Place, newest: SnapshotName, stale: tuple[SnapshotName, ...]
) -> None:
    """Old files that stay are no loss of the new one."""
    try:
        store.prune(place, newest, stale)
    except Exception as error:  # noqa: BLE001  # a store's package may raise anything
        log.warning(f"old snapshots cannot be removed: {error}", partition=place.partition)
