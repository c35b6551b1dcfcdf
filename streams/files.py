"""Request-log files as a source: JSON lines or one JSON array (plain, gzip, zstd), and Parquet.

Several files are merged by the event times of their records; the heap holds one record a file,
and a file is open only while its time has come. Within a file the order is the file's own.

A record's `time_s` stands in for the time at which a log would have received it. It is the event
time, except where a single clock is plainly wrong: a time later than most of the next records' is
brought down to theirs, so that one client from the year 2099 neither holds its file back in the
merge nor moves a clock (`streams.clock`). In a file sorted by time nothing is changed.
"""

from __future__ import annotations

import glob
import heapq
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from streams.document_reader import begins_document, read_document
from streams.errors import MalformedRecord, StreamsError
from streams.line_reader import MAX_LINE_BYTES, Line, read_lines
from streams.parquet_reader import is_parquet, read_rows

TimeOf = Callable[[bytes], float | None]
"""Event time (UTC epoch seconds) of a record's bytes; None, NaN and infinities are "no time"."""

Progress = Callable[[int, int], None]
"""Called with bytes read and bytes in all, both on disk, never more often than once a chunk."""

SUFFIXES = (
    *(
        name + packed
        for name in (".jsonl", ".ndjson", ".json", ".log")
        for packed in ("", ".gz", ".zst")
    ),
    ".parquet",
)
"""What is taken from a directory. A file named outright is read whatever its name."""

_AHEAD_RECORDS = 8
_AHEAD_BYTES = 1024 * 1024
_LAST_STEP_S = 86_400.0
"""The last record of a file, which nothing follows to check it, may be this much later."""


class UnreadableInput(StreamsError):
    """A path that leads to no readable file. Attribute `path`."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"cannot read {path}: {reason}")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A record of a file: `source` is its path, `line` its line, row or array element from 1.

    `time_s` as the module says; None until the file had a time. Where `problem` is set the record
    is a dead letter: `value` is empty or the head of a too long line, `sha256` that of the whole.
    """

    source: str
    line: int
    byte_length: int
    value: bytes
    time_s: float | None
    problem: MalformedRecord | None = None
    sha256: str | None = None


def expand_paths(arguments: Sequence[str]) -> list[Path]:
    """Files named by paths, directories (searched to the bottom, hidden ones left out) and globs.

    In the order of the arguments, sorted within each, none twice.
    Raises UnreadableInput for an argument that names no file.
    """
    found: dict[Path, Path] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            files = [entry for entry in sorted(path.rglob("*")) if _is_log(entry, path)]
        elif path.exists():
            files = [path]
        else:
            hits = (Path(hit) for hit in sorted(glob.glob(argument, recursive=True)))
            files = [hit for hit in hits if hit.is_file()]
        if not files:
            what = f"no file ending in {', '.join(SUFFIXES)}" if path.is_dir() else "no such file"
            raise UnreadableInput(argument, what)
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _is_log(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not hidden and path.name.lower().endswith(SUFFIXES) and path.is_file()


def read_files(
    paths: Sequence[Path],
    time_of: TimeOf | None = None,
    *,
    max_line_bytes: int = MAX_LINE_BYTES,
    progress: Progress | None = None,
) -> Iterator[FileRecord]:
    """Yields the records of all files, merged by `time_s`; ties go to the earlier path.

    Without `time_of` the files come one after the other and `time_s` is None.
    Raises UnreadableInput when a file cannot be opened; later damage is a record with a problem.
    """
    done, total = 0, sum(_size(path) for path in paths)

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    def stream(path: Path, told: Callable[[int], None] | None) -> Generator[FileRecord]:
        return _timed(path, _lines(path, max_line_bytes, told), time_of)

    if time_of is None or len(paths) == 1:
        for path in paths:
            yield from stream(path, on_bytes)
        return

    # A first look at each file gives its place in the heap; it is opened again when its turn comes.
    heap: list[tuple[float, int, FileRecord | None]] = []
    for index, path in enumerate(paths):
        look = stream(path, None)
        first = next(look, None)
        look.close()
        if first is not None:
            heap.append((_order(first), index, None))
    heapq.heapify(heap)
    streams: dict[int, Generator[FileRecord]] = {}
    try:
        while heap:
            _, index, record = heap[0]
            if record is None:
                streams[index] = stream(paths[index], on_bytes)
            else:
                yield record
            following = next(streams[index], None)
            if following is None:
                heapq.heappop(heap)
                streams.pop(index).close()
            else:
                heapq.heapreplace(heap, (_order(following), index, following))
    finally:
        for open_stream in streams.values():
            open_stream.close()


def _order(record: FileRecord) -> float:
    return float("-inf") if record.time_s is None else record.time_s


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise UnreadableInput(str(path), error.strerror or type(error).__name__) from error


def _lines(
    path: Path, max_line_bytes: int, on_bytes: Callable[[int], None] | None
) -> Generator[Line]:
    try:
        if is_parquet(path):
            yield from read_rows(path, max_line_bytes, on_bytes)
            return
        first = next(read_lines(path, max_line_bytes), None)
        if first is not None and begins_document(first.value):
            document = read_document(path, max_line_bytes)
            if document is not None:
                if on_bytes is not None:
                    on_bytes(path.stat().st_size)
                yield from document
                return
        yield from read_lines(path, max_line_bytes, on_bytes)
    except OSError as error:
        raise UnreadableInput(str(path), error.strerror or type(error).__name__) from error


def _timed(path: Path, lines: Generator[Line], time_of: TimeOf | None) -> Generator[FileRecord]:
    """The records of one file; looks ahead a few records, at most about a megabyte of them."""
    source = str(path)
    if time_of is None:
        for line in lines:
            yield FileRecord(
                source, line.number, line.byte_length, line.value, None, line.problem, line.sha256
            )
        return
    ahead: deque[tuple[Line, float | None]] = deque()
    ahead_bytes, previous = 0, None
    more = True
    try:
        while more or ahead:
            while more and len(ahead) <= _AHEAD_RECORDS and ahead_bytes <= _AHEAD_BYTES:
                new = next(lines, None)
                if new is None:
                    more = False
                    break
                known = None if new.problem else time_of(new.value)
                ahead.append((new, known if known is not None and isfinite(known) else None))
                ahead_bytes += len(new.value)
            if not ahead:
                return
            line, time_s = ahead.popleft()
            ahead_bytes -= len(line.value)
            if time_s is not None:
                previous = _plausible(time_s, previous, [t for _, t in ahead if t is not None])
            yield FileRecord(
                source, line.number, line.byte_length, line.value, previous, line.problem,
                line.sha256,
            )  # fmt: skip
    finally:
        lines.close()


def _plausible(time_s: float, previous: float | None, following: list[float]) -> float:
    """`time_s`, or less where it is later than the (lower) median of the times that follow."""
    if following:
        following.sort()
        limit = following[(len(following) - 1) // 2]
        return min(time_s, limit if previous is None else max(limit, previous))
    return time_s if previous is None else min(time_s, previous + _LAST_STEP_S)
