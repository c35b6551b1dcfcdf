"""Rebuilding a partition's state: a silent replay of its log up to the committed offset."""

from __future__ import annotations

from detector.shard import Shard
from streams.log import Log, OffsetOutOfRange


class Rebuild:
    """Replays a shard in slices, so that its worker can poll, and stays a member, in between.

    Attributes:
        shard: its `next_offset` is where the replay starts.
        committed: the first offset that is not handled yet.
        remaining: records left, as far as offsets tell.
    """

    def __init__(self, shard: Shard, log: Log, committed: int) -> None:
        self.shard = shard
        self.committed = committed
        self._log = log
        self._reader = log.reader([shard.at])
        start = self._reader.positions()[shard.at]
        if shard.next_offset > start:
            self._reader.seek(shard.at, shard.next_offset)
            start = shard.next_offset
        # A topic that was made anew is shorter than what was committed of the old one.
        self._stop = min(committed, self._reader.end_offsets()[shard.at])
        self.remaining = max(self._stop - start, 0)

    def slice(self, max_records: int, timeout_s: float) -> bool:
        """Replays up to `max_records` records; whether the state now stands at the end."""
        if self.remaining:
            try:
                records = self._reader.poll(max_records, timeout_s)
            except OffsetOutOfRange:  # retention overtook us: go on with what is left
                self.close()
                self._reader = self._log.reader([self.shard.at])
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
