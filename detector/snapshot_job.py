"""One snapshot on its way to the store: encoded, compressed and written by a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Final

from detector.snapshot_format import HEAD, Section, SectionWriter

_ROOM: Final = 8
"""So many handed-over parts may wait to be written."""


class Cancelled(Exception):
    """The snapshot is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Written:
    """A snapshot that is in the store. `check`: of the file; `size`: its bytes."""

    check: str
    size: int


class SnapshotJob:
    """Takes the parts in order, then `end`; the other thread writes them.

    `error` is what went wrong, `written` what came of it; both None until `done`, and after
    `cancel`.
    """

    def __init__(
        self,
        head: bytes,
        write: Callable[[Callable[[IO[bytes]], None]], None],
        after: Callable[[], None] | None = None,
    ) -> None:
        """`write` writes a file by what fills it; `after` is called once it is there."""
        self.written: Written | None = None
        self.error: Exception | None = None
        self._head = head
        self._write = write
        self._after = after
        self._parts: queue.SimpleQueue[Iterable[Section] | None] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._done = threading.Event()
        # A daemon: a store that hangs must not keep the process from ending.
        threading.Thread(target=self._run, name="snapshot", daemon=True).start()

    @property
    def room(self) -> bool:
        """Whether a part more may be handed over now."""
        return self._parts.qsize() < _ROOM

    @property
    def done(self) -> bool:
        """Whether it is written, or failed, or was cancelled."""
        return self._done.is_set()

    def put(self, sections: Iterable[Section]) -> None:
        """Hands a part over; it is taken apart on the other thread."""
        self._parts.put(sections)

    def end(self) -> None:
        """All parts were handed over."""
        self._parts.put(None)

    def cancel(self) -> None:
        """Nothing of it is to appear; returns at once."""
        self._cancelled.set()
        self._parts.put(None)

    def wait(self, limit_s: float) -> bool:
        """Waits for `done`, at most so long; whether it is."""
        return self._done.wait(limit_s)

    def _run(self) -> None:
        try:
            self._write(self._fill)
            if self._after is not None:
                self._after()
        except Cancelled:
            self.written = None
        except Exception as error:  # noqa: BLE001  # a store's package may raise anything
            self.written, self.error = None, error
        finally:
            self._done.set()

    def _fill(self, file: IO[bytes]) -> None:
        writer = SectionWriter(file)
        writer.write(Section(HEAD, self._head))
        while (part := self._parts.get()) is not None:
            for section in part:
                if self._cancelled.is_set():
                    raise Cancelled
                writer.write(section)
        if self._cancelled.is_set():
            raise Cancelled
        check = writer.done()
        self.written = Written(check, writer.written_bytes)
