"""Dead letters: bad records as data, with where they stood and why, and a cap on their share."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter

import msgspec

from streams.errors import MalformedRecord, TooManyBadRecords
from streams.files import FileRecord
from streams.log import LogRecord

HEAD_BYTES = 64 * 1024
"""This much of the record is kept."""

_OTHER = "other"


class DeadLetter(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A record that could not become a request.

    A record of the log has `topic`, `partition`, `offset`; one of a file has `file`, `line`.
    """

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    file: str | None = None
    line: int | None = None
    reason: str
    """The error in words."""
    kind: str
    """Class of the error: MalformedRecord, UnknownFormat, LineTooLong, DamagedFile."""
    field: str = ""
    """Path of the offending field; "" when the whole record is unreadable."""
    expected: str
    time_s: float | None = None
    """The record's own time, UTC epoch seconds: its log timestamp, or its time in the file."""
    byte_length: int
    sha256: str
    """Of the whole record, hex."""
    head_b64: str
    """Base64 of its first 64 kB."""


def from_log(record: LogRecord, error: MalformedRecord) -> DeadLetter:
    """The dead letter of a record read from the log."""
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=str(error),
        kind=type(error).__name__,
        field=error.field,
        expected=error.expected,
        time_s=record.timestamp_s,
        byte_length=len(record.value),
        sha256=hashlib.sha256(record.value).hexdigest(),
        head_b64=_head(record.value),
    )


def from_file(record: FileRecord, error: MalformedRecord) -> DeadLetter:
    """The dead letter of a record read from a file; `error` may be its own `problem`."""
    return DeadLetter(
        file=record.source,
        line=record.line,
        reason=str(error),
        kind=type(error).__name__,
        field=error.field,
        expected=error.expected,
        time_s=record.time_s,
        byte_length=record.byte_length,
        sha256=record.sha256 or hashlib.sha256(record.value).hexdigest(),
        head_b64=_head(record.value),
    )


def _head(value: bytes) -> str:
    return base64.b64encode(value[:HEAD_BYTES]).decode("ascii")


class CapState(msgspec.Struct, frozen=True):
    """The counts of a `RatioCap`, as a snapshot keeps them."""

    seen_total: int
    bad_total: int
    by_reason: dict[str, int]
    seen: int
    bad: int
    example: str


class RatioCap:
    """Stops a run whose settings are wrong, before it drains a log into the dead letters.

    Counts records, never batches, so that a batch cut changes nothing. The share is taken over
    about the last `window` records (both counts are halved when they reach it): a topic that turns
    bad after months of good records is noticed as soon as a new one.
    """

    def __init__(
        self, cap: float = 0.5, minimum: int = 200, window: int = 20_000, max_reasons: int = 200
    ) -> None:
        """`cap`: largest share of bad records, 0 to 1; judged from `minimum` records on.

        `by_reason` keeps `max_reasons` names, the rest is counted as "other".
        Raises ValueError for a cap outside 0..1, or not 1 <= minimum < window.
        """
        if not 0.0 <= cap <= 1.0 or not 1 <= minimum < window:
            raise ValueError(f"cap in 0..1, 1 <= minimum < window: {cap}, {minimum}, {window}")
        self.cap, self.minimum, self.window = cap, minimum, window
        self.replaying = False
        """Whether records are read that were let through before: then nothing is raised. Where the
        cap is passed all the same, somebody let them through on purpose, and the count starts anew.
        """
        self.seen_total = 0
        self.bad_total = 0
        self.by_reason: Counter[str] = Counter()
        """Bad records by "kind" or "kind:field"."""
        self._max_reasons = max_reasons
        self._seen = 0
        self._bad = 0
        self._example = ""

    def good(self, count: int = 1) -> None:
        """Counts records that were read, one after the other. Raises as `bad` does."""
        if self._bad:
            for _ in range(count):
                self._count(0)
            return
        self.seen_total += count
        self._seen += count
        while self._seen >= self.window:
            self._seen -= self.window - self.window // 2

    def bad(self, error: MalformedRecord) -> None:
        """Counts a dead letter. Raises TooManyBadRecords when their share is over the cap."""
        kind = type(error).__name__
        name = f"{kind}:{error.field}" if error.field else kind
        if name not in self.by_reason and len(self.by_reason) >= self._max_reasons:
            name = _OTHER
        self.by_reason[name] += 1
        self.bad_total += 1
        self._example = str(error)
        self._count(1)

    def dump(self) -> CapState:
        """All counts."""
        return CapState(
            self.seen_total, self.bad_total, dict(self.by_reason), self._seen, self._bad,
            self._example,
        )  # fmt: skip

    def load(self, state: CapState) -> None:
        """Counts on from a dump."""
        self.seen_total, self.bad_total = state.seen_total, state.bad_total
        self.by_reason = Counter(state.by_reason)
        self._seen, self._bad, self._example = state.seen, state.bad, state.example

    def _count(self, bad: int) -> None:
        self.seen_total += 1
        self._seen += 1
        self._bad += bad
        if self._seen >= self.minimum and self._bad > self.cap * self._seen:
            if not self.replaying:
                raise TooManyBadRecords(self._bad, self._seen, self.cap, self._example)
            self._seen = self._bad = 0
        if self._seen >= self.window:
            self._seen //= 2
            self._bad //= 2
