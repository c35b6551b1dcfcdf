"""Rebuilding a partition's state: its newest snapshot, then a silent replay of what came after.

Without a snapshot that can be used, the replay begins at the earliest record that the log holds.
"""

from __future__ import annotations

import structlog

from detector.shard import Shard
from detector.snapshot_head import Anchor, anchor_of
from detector.snapshot_load import SnapshotLoad
from detector.snapshot_names import SnapshotName
from detector.snapshot_store import Loaded
from streams.log import Log, LogRecord, OffsetOutOfRange

LOAD_WAIT_S = 0.005
"""How long a slice waits for the snapshot, so that other partitions go on meanwhile."""

_log = structlog.get_logger()


class Rebuild:
    """Rebuilds a shard in slices, so that its worker can poll, and stays a member, in between.

    Attributes:
        shard: its `next_offset` is where the replay stands.
        committed: the first offset that is not handled yet.
        remaining: records left, as far as offsets tell.
        loaded: the snapshot that was taken, if any.
        skipped: newer ones that could not be used.
        stale: snapshots that are of no use any more.
    """

    def __init__(
        self,
        shard: Shard,
        log: Log,
        committed: int,
        load: SnapshotLoad | None = None,
        load_until_s: float = 0.0,
    ) -> None:
        """`load` is waited for until `load_until_s`."""
        self.shard = shard
        self.committed = committed
        self.loaded: Loaded | None = None
        self.skipped = 0
        self.stale: tuple[SnapshotName, ...] = ()
        self._log = log
        self._load = load
        self._load_until_s = load_until_s
        self._untried: tuple[Loaded, Anchor] | None = None
        self._names: tuple[SnapshotName, ...] = ()
        self._reader = log.reader([shard.at])
        self._start = self._reader.positions()[shard.at]
        # A topic that was made anew is shorter than what was committed of the old one.
        self._stop = min(committed, self._reader.end_offsets()[shard.at])
        self.remaining = max(self._stop - self._start, 0)

    @property
    def ready(self) -> bool:
        """Whether it is clear what the state begins with, so that it may be watched from here."""
        return self._load is None and self._untried is None

    def prepare(self, timeout_s: float, monotonic_s: float) -> bool:
        """Waits a little for the snapshot and takes it; whether the replay can begin."""
        if self._load is not None:
            if not self._load.wait(LOAD_WAIT_S) and monotonic_s < self._load_until_s:
                return False
            found, self._load = self._load.result(), None
            self.skipped, self.stale, self._names = found.skipped, found.ahead, found.seen
            if found.loaded is not None:
                self._begin_check(found.loaded)
        if self._untried is not None:
            self._check(*self._untried, timeout_s)
        return self.ready

    def slice(self, max_records: int, timeout_s: float) -> bool:
        """Replays up to `max_records` records; whether the state now stands at the end."""
        if self.remaining:
            try:
                records = self._reader.poll(max_records, timeout_s)
            except OffsetOutOfRange:  # retention overtook us: go on with what is left
                self._reopen()
                records = []
            ours = [record for record in records if record.offset < self._stop]
            self.shard.replay(ours)
            at = self._reader.positions()[self.shard.at]
            self.remaining = 0 if len(ours) < len(records) else max(self._stop - at, 0)
        if self.remaining:
            return False
        self.shard.end_replay()
        self.close()
        return True

    def close(self) -> None:
        """Gives the reader up."""
        self._reader.close()

    def _begin_check(self, loaded: Loaded) -> None:
        """Goes to the snapshot's last record, to see that it is of this very topic."""
        head, anchor = loaded.head, loaded.head.anchor
        if head.next_offset > self._stop:
            self._refuse("is ahead of the topic's end")
        elif anchor is None or anchor.offset < self._start:
            self._take(loaded)  # retention took that record: it cannot be asked
        else:
            self._untried = (loaded, anchor)
            self._reader.seek(self.shard.at, anchor.offset)

    def _check(self, loaded: Loaded, anchor: Anchor, timeout_s: float) -> None:
        records: list[LogRecord] = []
        try:
            records = self._reader.poll(1, timeout_s)
        except OffsetOutOfRange:  # retention took it just now
            self._reopen()
        at = self._reader.positions()[self.shard.at]
        if records and records[0].offset == anchor.offset and anchor_of(records[0]) != anchor:
            self._refuse("is of another topic of that name")
        elif records or at > anchor.offset:
            self._take(loaded)

    def _take(self, loaded: Loaded) -> None:
        self._untried, self.loaded = None, loaded
        self.shard.load(loaded)
        start = max(loaded.head.next_offset, self._start)
        if start > loaded.head.next_offset:
            _log.warning(
                f"the log no longer holds {start - loaded.head.next_offset} records between the "
                "snapshot and its own start; they are missing in the state",
                partition=self.shard.at.partition,
            )
        self._reader.seek(self.shard.at, start)
        self.remaining = max(self._stop - start, 0)

    def _refuse(self, reason: str) -> None:
        """Then all snapshots are of that other topic."""
        self._untried = None
        self.skipped += 1
        self.stale = self._names
        _log.warning(
            f"the newest snapshot {reason}; replaying the log", partition=self.shard.at.partition
        )
        self._reader.seek(self.shard.at, self._start)

    def _reopen(self) -> None:
        self.close()
        self._reader = self._log.reader([self.shard.at])
        self._start = self._reader.positions()[self.shard.at]
