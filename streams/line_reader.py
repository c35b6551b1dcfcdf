"""Lines of one request-log file: plain, gzip or zstd, told by its first bytes, not by its name.

Memory is bounded: a line over `max_line_bytes` is hashed as it passes and only its head is kept.
A damaged archive gives the lines up to the damage and then one item that says so. (A zstd file
cut off is told only by its last, cut line: zstandard's reader does not report it.)
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import zstandard

from streams.errors import MalformedRecord

MAX_LINE_BYTES = 16 * 1024 * 1024
HEAD_BYTES = 64 * 1024
"""Of a line that is too long this much is kept, as dead letters show it."""

_CHUNK_BYTES = 256 * 1024
_BOM = b"\xef\xbb\xbf"


class LineTooLong(MalformedRecord):
    """A line past the limit. Its item carries the head, the whole length and the sha256."""


class DamagedFile(MalformedRecord):
    """The rest of a file cannot be read: a broken or cut archive, a disk error."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank. `number` counts from 1, blank lines included.

    `byte_length` is that of the whole line without its end (\\n or \\r\\n); `value` is the whole
    line, or its head where `problem` is a LineTooLong (then `sha256` is that of the whole, hex).
    """

    number: int
    value: bytes
    byte_length: int
    problem: MalformedRecord | None = None
    sha256: str | None = None


class _Counted(io.RawIOBase):
    """A file that tells how many of its bytes were read."""

    def __init__(self, path: Path, on_bytes: Callable[[int], None]) -> None:
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self._on_bytes = on_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer) or 0
        self._on_bytes(count)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _Pending:
    """The line being put together from chunks."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._length = 0
        self._hash: hashlib._Hash | None = None
        self._return_held = False
        self._head_room = 0

    def add(self, part: bytes) -> None:
        self._length += len(part)
        if self._hash is None:
            self._parts.append(part)
            if self._length <= self._limit + 1:  # the one: a carriage return before the line's end
                return
            part = b"".join(self._parts)
            self._parts, self._head_room = [part[:HEAD_BYTES]], HEAD_BYTES - len(part)
            self._hash = hashlib.sha256()
        else:
            if self._head_room > 0:  # only where the limit is below the head's size
                self._parts.append(part[: self._head_room])
                self._head_room -= len(part)
            if self._return_held and part:
                self._hash.update(b"\r")
        if part:
            # A carriage return counts only once something other than the line's end follows it.
            self._return_held = part.endswith(b"\r")
            self._hash.update(part[:-1] if self._return_held else part)

    def take(self, number: int) -> Line | None:
        """The line, or None when it is blank; then starts anew."""
        value, length, digest = b"".join(self._parts), self._length, self._hash
        length -= self._return_held
        self._parts, self._length, self._hash, self._return_held = [], 0, None, False
        if number == 1:
            value = value.removeprefix(_BOM)
        if digest is None:
            value = value.removesuffix(b"\r")
            if len(value) <= self._limit:
                return Line(number, value, len(value)) if value.strip() else None
            return too_long_line(number, value, self._limit)
        value = value[: min(length, HEAD_BYTES)]
        problem = LineTooLong("", f"a line of at most {self._limit} bytes", f"{length} bytes")
        return Line(number, value, length, problem, digest.hexdigest())


def too_long_line(number: int, whole: bytes, limit: int) -> Line:
    """The item that stands for a line (or row) longer than `limit` bytes."""
    problem = LineTooLong("", f"a line of at most {limit} bytes", f"{len(whole)} bytes")
    digest = hashlib.sha256(whole).hexdigest()
    return Line(number, whole[:HEAD_BYTES], len(whole), problem, digest)


def read_lines(
    path: Path, max_line_bytes: int = MAX_LINE_BYTES, on_bytes: Callable[[int], None] | None = None
) -> Iterator[Line]:
    """Yields the lines of `path` that are not blank. `on_bytes` gets counts of bytes on disk.

    Raises OSError when the file cannot be opened; once open, damage is an item, not an error.
    """
    pending, number = _Pending(max_line_bytes), 1
    with open_bytes(path, on_bytes) as stream:
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                *ends, rest = chunk.split(b"\n")
                for part in ends:
                    pending.add(part)
                    line = pending.take(number)
                    number += 1
                    if line is not None:
                        yield line
                pending.add(rest)
        except DAMAGE as error:
            line = pending.take(number)
            if line is not None:
                yield line
                number += 1
            what = DamagedFile("", "a file readable to its end", f"{type(error).__name__}: {error}")
            yield Line(number, b"", 0, what)
            return
        line = pending.take(number)
        if line is not None:
            yield line


DAMAGE = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""What reading a damaged file raises."""


class ByteStream(Protocol):
    """Decompressed bytes of a file."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, empty at the end. Raises one of DAMAGE."""


@contextmanager
def open_bytes(path: Path, on_bytes: Callable[[int], None] | None = None) -> Iterator[ByteStream]:
    """The bytes inside a plain, gzip or zstd file, told by its magic number. Raises OSError."""
    counted: io.RawIOBase = _Counted(path, on_bytes or _ignore)
    with io.BufferedReader(counted, _CHUNK_BYTES) as raw:
        magic = raw.peek(4)[:4]
        if magic[:2] == b"\x1f\x8b":
            yield gzip.GzipFile(fileobj=raw, mode="rb")
        elif magic == b"\x28\xb5\x2f\xfd":
            yield zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        else:
            yield raw


def _ignore(count: int) -> None:
    """No progress wanted."""
