"""How long a call may wait for Kafka: up to a limit, and not much longer once told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from streams.log import Unreachable

_SLICE_S = 0.25
STOP_GRACE_S = 5.0
"""A cluster that lives answers within this; what it has not answered by then is left to it."""


class Patience:
    """Waits that end. kafka-python's own end of a transaction waits for ever."""

    def __init__(self, limit_s: float, stop: threading.Event) -> None:
        self._limit_s = limit_s
        self._stop = stop

    def wait(self, done_within: Callable[[float], bool], doing: str) -> None:
        """Returns when `done_within`, which waits as many seconds as it is given, says True.

        Raises Unreachable at the limit, or STOP_GRACE_S after `stop` was set; what happened to the
        work is then not known. What `done_within` raises comes through.
        """
        started_s = time.monotonic()
        stopped_s: float | None = None
        while not done_within(_SLICE_S):
            now_s = time.monotonic()
            if stopped_s is None and self._stop.is_set():
                stopped_s = now_s
            if stopped_s is not None and now_s - stopped_s >= STOP_GRACE_S:
                raise Unreachable(f"{doing}: Kafka has not answered and we are told to stop")
            if now_s - started_s >= self._limit_s:
                raise Unreachable(f"{doing}: Kafka has not answered for {self._limit_s:.0f} s")
