"""Takes a changed keys file into use while the API runs: new keys, and keys taken away."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import structlog

from detector.key_ring import KeyFileError, KeyRing, read_keys

LOOK_S: Final = 1.0

_Mark = tuple[int, int, int]


class KeyWatch:
    """Looks at the file once a second, on its own thread. A file in disorder changes nothing.

    A file that is gone or cannot be read leaves the present keys in use, and is told in the log.
    """

    def __init__(self, path: Path, ring: KeyRing) -> None:
        self._path, self._ring = path, ring
        self._mark = self._look()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
        self._log = structlog.get_logger()

    def __enter__(self) -> KeyWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def look(self) -> bool:
        """Reads the file if it changed; returns whether its keys are now in use."""
        mark = self._look()
        if mark == self._mark:
            return False
        self._mark = mark
        try:
            self._ring.replace(read_keys(self._path).entries())
        except KeyFileError as error:
            self._log.error("the keys stay as they were", reason=str(error))
            return False
        self._log.info("keys read again", keys=len(self._ring))
        return True

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self.look()

    def _look(self) -> _Mark | None:
        try:
            found = self._path.stat()
        except OSError:
            return None  # `read_keys` says what is wrong
        return found.st_mtime_ns, found.st_size, found.st_ino
