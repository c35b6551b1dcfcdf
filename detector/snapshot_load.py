"""Reading a partition's newest snapshot on a thread of its own, while the others go on."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from detector.snapshot_head import Mark, Place
from detector.snapshot_store import Found, SnapshotStore

log = structlog.get_logger()

_NOTHING = Found(None, 0, (), ())


class SnapshotLoad:
    """A search in the store that has begun."""

    def __init__(
        self, store: SnapshotStore, place: Place, committed: int, past: Sequence[Mark]
    ) -> None:
        """Arguments as of `SnapshotStore.newest`."""
        self._found = _NOTHING
        self._error: Exception | None = None
        self._store = store
        self._place = place
        self._committed = committed
        self._past = past
        self._done = threading.Event()
        # A daemon: a store that hangs must not keep the process from ending.
        threading.Thread(target=self._run, name="snapshot-load", daemon=True).start()

    def wait(self, limit_s: float) -> bool:
        """Waits for the end of the search, at most so long; whether it came."""
        return self._done.wait(limit_s)

    def result(self) -> Found:
        """What was found; nothing, with a warning, where the store failed or did not answer."""
        where = {"partition": self._place.partition}
        if not self._done.is_set():
            log.warning("the store of snapshots does not answer; replaying the log", **where)
            return _NOTHING
        if self._error is not None:
            log.warning(f"no snapshot can be read, replaying the log: {self._error}", **where)
        return self._found

    def _run(self) -> None:
        try:
            self._found = self._store.newest(self._place, self._committed, self._past)
        except Exception as error:  # noqa: BLE001  # a store's package may raise anything
            self._error = error
        finally:
            self._done.set()
