"""How a command stops: one sentence on stderr and an exit code, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from detector.errors import BadTopic, DetectorError
from streams.errors import StreamsError, TooManyBadRecords

DATA, USAGE, BAD_TOPIC, FENCED = 1, 2, 3, 4
"""Exit codes: the log is bad; a file or setting is; a worker's topic cannot be read; another worker
took over."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turns the project's own errors into a sentence; any other error is a bug and shows itself."""
    try:
        yield
    except (StreamsError, DetectorError) as error:
        print(f"stillwatch: {error}", file=sys.stderr)
        code = DATA if isinstance(error, TooManyBadRecords | NothingReadable) else USAGE
        code = BAD_TOPIC if isinstance(error, BadTopic) else code
        raise typer.Exit(code) from error


class NothingReadable(DetectorError):
    """A run in which no record could be read. Attributes `records` and `dead_letters`, counts."""

    def __init__(self, records: int, dead_letters: int, look: str) -> None:
        self.records, self.dead_letters = records, dead_letters
        super().__init__(
            f"no request was read: {dead_letters:,} of {records:,} records cannot be read; "
            f"see why with: {look}"
        )


class FileTrouble(DetectorError):
    """A file that a command was told to write cannot be written. Attribute `path`."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be written ({reason})")


@contextmanager
def writing() -> Iterator[None]:
    """Names the file of an OSError; input files raise UnreadableInput by themselves."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of stdout went away: no file of ours
    except OSError as error:
        raise FileTrouble(str(error.filename), error.strerror or str(error)) from error
