"""Errors of the streams package: one root, few subclasses, each carrying its fields."""

from __future__ import annotations


class StreamsError(Exception):
    """Root of every error raised by `streams`."""


class MalformedRecord(StreamsError):
    """A record that cannot become a request. It goes to the dead letters with this reason.

    Attributes:
        field: name (path) of the offending field, or "" when the whole record is unreadable.
        expected: what would have been right, in words.
        got: what stood there, shortened to 120 characters and free of prompt text.
    """

    def __init__(self, field: str, expected: str, got: str = "") -> None:
        self.field = field
        self.expected = expected
        self.got = got[:120]
        where = f"field {field!r}: " if field else ""
        seen = f", got {self.got}" if self.got else ""
        super().__init__(f"{where}expected {expected}{seen}")


class UnknownFormat(MalformedRecord):
    """No registered format recognises the record."""

    def __init__(self, got: str = "") -> None:
        super().__init__("", "a record of a known log format (format not known)", got)


class TooManyBadRecords(StreamsError):
    """The share of dead letters passed the cap: the settings are wrong, not the log."""

    def __init__(self, bad: int, seen: int, cap: float, example: str) -> None:
        self.bad, self.seen, self.cap = bad, seen, cap
        super().__init__(
            f"{bad} of {seen} records could not be read, over the cap of {cap:.0%}; "
            f"the last reason was: {example}. Check the format and account_from settings with "
            f"`stillwatch inspect FILE`."
        )
