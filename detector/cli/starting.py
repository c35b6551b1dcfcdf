"""A role's start: Kafka may come up later than we do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from detector.retries import FIRST_WAIT_S, LONGEST_WAIT_S
from streams.log import Unreachable

log = structlog.get_logger()

_Role = TypeVar("_Role")


def started(make: Callable[[], _Role], limit_s: float, stop: threading.Event) -> _Role | None:
    """What `make` gives once Kafka answers; None when told to stop before that.

    Raises Unreachable when it does not answer within `limit_s`.
    """
    give_up_s = time.monotonic() + limit_s
    wait_s = FIRST_WAIT_S
    while not stop.is_set():
        try:
            return make()
        except Unreachable as error:
            if stop.is_set():
                break
            if time.monotonic() + wait_s >= give_up_s:
                raise
            log.warning(f"trying again in {wait_s:.1f} s: {error}")
        stop.wait(wait_s)
        wait_s = min(2.0 * wait_s, LONGEST_WAIT_S)
    return None
