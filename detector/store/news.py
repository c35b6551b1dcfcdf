"""Wakes those who wait for new alerts, and ends their waiting when the service stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from detector.errors import DetectorError

MAX_LISTENERS: Final = 256
"""Live streams that one process serves at once."""


class TooManyListeners(DetectorError):
    """There is no room for one more listener. Attribute `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"{limit} live streams are open, which is the most")


class News:
    """A bell that rings from one thread (the follower's) for many listeners. Thread-safe.

    `closed`: no more news will come; listeners end.
    """

    def __init__(self, max_listeners: int = MAX_LISTENERS) -> None:
        self._max = max_listeners
        self._lock = threading.Lock()
        self._listeners: dict[int, Callable[[], object]] = {}
        self._number = 0
        self.closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    @contextmanager
    def listening(self, wake: Callable[[], object]) -> Iterator[None]:
        """Calls `wake` (from another thread; it must not block) at each ring, while inside.

        Raises TooManyListeners.
        """
        with self._lock:
            if len(self._listeners) >= self._max:
                raise TooManyListeners(self._max)
            self._number += 1
            number = self._number
            self._listeners[number] = wake
        try:
            yield
        finally:
            with self._lock:
                del self._listeners[number]

    def ring(self) -> None:
        """There may be something new."""
        with self._lock:
            listeners = list(self._listeners.values())
        for wake in listeners:
            wake()

    def close(self) -> None:
        """The service stops: every listener is woken and finds `closed`."""
        self.closed = True
        self.ring()
