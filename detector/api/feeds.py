"""What the API's followers do with the records they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detector.verdict_table import VerdictTable
from streams.log import LogRecord


def verdict_feed(
    table: VerdictTable, now_s: Callable[[], float]
) -> Callable[[Sequence[LogRecord]], None]:
    """Applies verdicts to the table and forgets those that ended, so that memory stays bounded."""

    def apply(records: Sequence[LogRecord]) -> None:
        table.apply(records)
        table.drop_expired(now_s())

    return apply
