"""A partition whose snapshots are kept: what was saved of it, and what changed since."""

from __future__ import annotations

import hashlib

from detector.changed_rows import ChangedRows
from detector.features import schema_hash
from detector.shard import Shard
from detector.snapshot_head import Head, Kind, Place, row_layout
from detector.snapshot_names import SnapshotName
from detector.snapshot_store import Loaded
from detector.worker_settings import SnapshotSettings

Stand = tuple[int, int]
"""Changes whenever something was committed."""


class Track:
    """One partition from its take-over on.

    Attributes:
        shard: what it belongs to.
        place: whose state it is.
        tables: the watched tables: accounts, end users, keys.
        stale: files that go with the next full snapshot.
        saved: where the last snapshot stands, `saved_s`: since when it is there.
        next_s, next_full_s: when the next one is due, and when it is to be a full one.
    """

    def __init__(
        self,
        shard: Shard,
        place: Place,
        token: str,
        loaded: Loaded | None,
        stale: tuple[SnapshotName, ...],
        settings: SnapshotSettings,
        now_s: float,
    ) -> None:
        """Arguments as of `SnapshotKeeper.begin`."""
        state = shard.partition.state
        self.shard = shard
        self.place = place
        self.tables = tuple(ChangedRows(t) for t in (state.accounts, state.end_users, state.keys))
        self.stale = stale
        self.saved = self.stand
        self.saved_s = now_s
        self.next_s = now_s + settings.changed_every_s
        self.next_full_s = now_s + settings.full_every_s if loaded else self.next_s
        self._writer = hashlib.blake2b(token.encode(), digest_size=4).hexdigest()
        self._sequence = 0
        self._settings = settings
        self._base: tuple[SnapshotName, str, Head] | None = None
        if loaded is not None:
            self._base = loaded.name, loaded.check, loaded.head

    @property
    def stand(self) -> Stand:
        """Where the state stands now."""
        return self.shard.next_offset, len(self.shard.marks)

    def next_is_full(self, now_s: float) -> bool:
        """Whether the next snapshot is to hold all rows."""
        settings = self._settings
        if self._base is None or now_s >= self.next_full_s:
            return True
        head = self._base[2]
        link_bytes = head.link_bytes + self.size(whole=False)
        share = settings.most_link_share * self.size(whole=True)
        return head.links >= settings.most_links or link_bytes > share

    def size(self, *, whole: bool) -> int:
        """Bytes of all rows, or of those that changed."""
        state = self.shard.partition.state
        tables = (state.accounts, state.end_users, state.keys)
        return sum(
            (len(table) if whole else len(rows)) * table.rows.dtype.itemsize
            for table, rows in zip(tables, self.tables, strict=True)
        )

    def next_head(self, *, full: bool) -> tuple[SnapshotName, Head]:
        """Name and header of a snapshot of the present state."""
        shard, place, base = self.shard, self.place, None if full else self._base
        kind: Kind = "changed" if base else "full"
        name = SnapshotName(shard.next_offset, self._sequence, kind, self._writer)
        self._sequence += 1
        head = Head(
            group=place.group,
            topic=place.topic,
            partition=place.partition,
            partitions=place.partitions,
            next_offset=shard.next_offset,
            anchor=shard.anchor,
            marks=tuple(shard.marks),
            kind=kind,
            base=str(base[0]) if base else None,
            base_check=base[1] if base else None,
            links=base[2].links + 1 if base else 0,
            link_bytes=base[2].link_bytes + self.size(whole=False) if base else 0,
            feature_schema=schema_hash(),
            layout=row_layout(),
            policy=shard.partition.policy.stamp,
            model=shard.partition.model,
        )
        return name, head

    def written(
        self, name: SnapshotName, head: Head, check: str, stand: Stand, since_s: float, now_s: float
    ) -> None:
        """A snapshot that was cut at `since_s` is in the store: the next one builds on it."""
        self._base = name, check, head
        self.saved, self.saved_s = stand, since_s
        self.next_s = max(since_s + self._settings.changed_every_s, now_s)
        if head.kind == "full":
            self.next_full_s = since_s + self._settings.full_every_s
            self.stale = ()

    def detach(self) -> None:
        """The tables are watched no longer."""
        for rows in self.tables:
            rows.detach()
