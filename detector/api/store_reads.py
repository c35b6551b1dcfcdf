"""What a route answers when the alert store does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from detector.api.problems import Unavailable
from detector.store.errors import StoreError


@contextmanager
def store_reads() -> Iterator[None]:
    """Turns StoreError into Unavailable; where the database is stays in our log."""
    try:
        yield
    except StoreError as error:
        structlog.get_logger().error("the alert store does not answer", reason=error.problem)
        raise Unavailable("the alert store does not answer; try again later") from error
