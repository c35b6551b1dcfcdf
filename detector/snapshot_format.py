"""The file format of a snapshot: a magic line, then sections, each with its length and checksum.

    b"stillwatch snapshot 1\\n"
    section: kind (4 ASCII letters), flags u32, stored u64, raw u64, crc32 of payload u32,
             crc32 of these fields u32; then the payload, `stored` bytes

Integers are little-endian. Flag 1: the payload is one zstd frame of `raw` bytes. A payload is JSON
(HEAD, first; DONE, last), MessagePack (BOOK) or columns: u32 length of a JSON list of
[name, dtype, shape], the list, then the arrays' bytes in that order. A column of texts is two
arrays: `NAME#n`, int32, characters of each text (-1: none), and `NAME#t`, all texts in UTF-8 with
half surrogate pairs let through. A file without DONE is not whole.

No pickle: reading a damaged or foreign file can fail, and do nothing else.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import IO, Any, Final

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from detector.errors import DetectorError

MAGIC: Final = b"stillwatch snapshot 1\n"
HEAD: Final = b"HEAD"
DONE: Final = b"DONE"

_FRAME: Final = struct.Struct("<4sIQQI")
_CRC: Final = struct.Struct("<I")
_LENGTH: Final = struct.Struct("<I")
_NUMBERS: Final = re.compile(r"<[iuf][248]|\|[iu]1")
_ZSTD: Final = 1
_MOST_BYTES: Final = 1 << 31
"""A section is not longer."""

Texts = Sequence[str | None]
Columns = Mapping[str, NDArray[Any] | Texts]


class DamagedSnapshot(DetectorError):
    """A file is no snapshot, or not a whole one. Attribute `reason`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Section:
    """A section to be written: `content` is its payload, or the columns that make it."""

    kind: bytes
    content: bytes | Columns


class SectionWriter:
    """Writes a snapshot's sections to a file, compressed where that pays."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._digest = hashlib.sha256()
        self._count = 0
        file.write(MAGIC)
        self.written_bytes = len(MAGIC)

    def write(self, section: Section) -> None:
        """Writes one. Raises OSError."""
        content = section.content
        parts = [content] if isinstance(content, bytes) else _pack(content)
        raw_bytes = sum(memoryview(part).nbytes for part in parts)
        # Array by array: joining them first would hold Python's lock for a copy of all.
        compressing = self._compressor.compressobj(size=raw_bytes)
        stored = b"".join([*map(compressing.compress, parts), compressing.flush()])
        flags = _ZSTD
        if 10 * len(stored) > 9 * raw_bytes:
            stored, flags = b"".join(parts), 0
        frame = _FRAME.pack(section.kind, flags, len(stored), raw_bytes, zlib.crc32(stored))
        frame += _CRC.pack(zlib.crc32(frame))
        self._digest.update(frame)
        self._count += 1
        self._file.write(frame)
        self._file.write(stored)
        self.written_bytes += len(frame) + len(stored)

    def done(self) -> str:
        """Writes the last section and returns the file's check, 64 hex digits."""
        check = self._digest.hexdigest()
        self.write(Section(DONE, msgspec.json.encode({"sections": self._count, "check": check})))
        return check


class _Done(msgspec.Struct):
    sections: int
    check: str


class SectionReader:
    """Reads a snapshot's sections in order. Every method raises DamagedSnapshot, or OSError.

    Attributes:
        check: the file's check; "" before its end was read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._count = 0
        self.check = ""
        if file.read(len(MAGIC)) != MAGIC:
            raise DamagedSnapshot("is no snapshot of a version that is read here")

    def head(self) -> bytes:
        """The payload of the first section."""
        kind, payload = self._next()
        if kind != HEAD:
            raise DamagedSnapshot("its first section is not the header")
        return payload

    def rest(self) -> Iterator[tuple[bytes, bytes]]:
        """Kind and payload of each section after the header, up to a whole end."""
        while True:
            count, check = self._count, self._digest.hexdigest()
            kind, payload = self._next()
            if kind != DONE:
                yield kind, payload
                continue
            try:
                done = msgspec.json.decode(payload, type=_Done)
            except msgspec.DecodeError as error:
                raise DamagedSnapshot(f"its end cannot be read ({error})") from error
            if (done.sections, done.check) != (count, check) or self._file.read(1):
                raise DamagedSnapshot("its end does not fit its sections")
            self.check = check
            return

    def _next(self) -> tuple[bytes, bytes]:
        size = _FRAME.size + _CRC.size
        frame = self._file.read(size)
        if len(frame) < size:
            raise DamagedSnapshot(f"breaks off after {self._count} sections")
        (crc,) = _CRC.unpack_from(frame, _FRAME.size)
        if zlib.crc32(frame[: _FRAME.size]) != crc:
            raise DamagedSnapshot(f"section {self._count + 1} has a damaged frame")
        kind, flags, stored, raw, payload_crc = _FRAME.unpack_from(frame)
        if max(stored, raw) > _MOST_BYTES:
            raise DamagedSnapshot(f"section {self._count + 1} is too long")
        payload = self._file.read(stored)
        if len(payload) < stored:
            raise DamagedSnapshot(f"breaks off in section {self._count + 1}")
        if zlib.crc32(payload) != payload_crc:
            raise DamagedSnapshot(f"section {self._count + 1} ({kind!r}) is damaged")
        self._digest.update(frame)
        self._count += 1
        if flags & _ZSTD:
            try:
                payload = zstandard.ZstdDecompressor().decompress(payload, max_output_size=raw)
            except zstandard.ZstdError as error:
                raise DamagedSnapshot(f"section {self._count} cannot be opened") from error
        return kind, payload


def _pack(columns: Columns) -> list[bytes | memoryview]:
    """The parts of a payload."""
    listed: list[tuple[str, str, tuple[int, ...]]] = []
    arrays: list[NDArray[Any]] = []
    for name, column in columns.items():
        if isinstance(column, np.ndarray):
            found = {name: column}
        else:
            lengths = [-1 if text is None else len(text) for text in column]
            joined = "".join([text for text in column if text is not None])
            raw = joined.encode("utf-8", "surrogatepass")
            found = {
                f"{name}#n": np.array(lengths, np.int32),
                f"{name}#t": np.frombuffer(raw, np.uint8),
            }
        for part, array in found.items():
            listed.append((part, array.dtype.str, array.shape))
            arrays.append(np.ascontiguousarray(array))
    head = msgspec.json.encode(listed)
    return [_LENGTH.pack(len(head)) + head, *(_bytes_of(array) for array in arrays)]


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8).data)


class ColumnReader:
    """The columns of a section. Every method raises DamagedSnapshot."""

    def __init__(self, payload: bytes) -> None:
        try:
            (length,) = _LENGTH.unpack_from(payload)
            start = _LENGTH.size + length
            listed = msgspec.json.decode(
                payload[_LENGTH.size : start], type=list[tuple[str, str, tuple[int, ...]]]
            )
            self._arrays: dict[str, NDArray[Any]] = {}
            for name, kind, shape in listed:
                if not _NUMBERS.fullmatch(kind):  # numpy would look for Python in others
                    raise ValueError(f"numbers of kind {kind[:20]!r}")
                dtype, count = np.dtype(kind), int(np.prod(shape))
                self._arrays[name] = np.frombuffer(payload, dtype, count, start).reshape(shape)
                start += count * dtype.itemsize
        except (struct.error, msgspec.DecodeError, TypeError, ValueError) as error:
            raise DamagedSnapshot(f"columns that cannot be read ({error})") from error

    def has(self, name: str) -> bool:
        """Whether there is a column of texts of that name."""
        return f"{name}#n" in self._arrays

    def array(self, name: str, dtype: type[Any], ndim: int = 1) -> NDArray[Any]:
        """A column of numbers, read-only."""
        found = self._arrays.get(name)
        if found is None or found.dtype != dtype or found.ndim != ndim:
            raise DamagedSnapshot(f"column {name} is missing or of another kind")
        return found

    def texts(self, name: str) -> list[str | None]:
        """A column of texts."""
        lengths = self.array(f"{name}#n", np.int32)
        try:
            joined = self.array(f"{name}#t", np.uint8).tobytes().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise DamagedSnapshot(f"column {name} is no text") from error
        ends = [*accumulate(np.maximum(lengths, 0).tolist(), initial=0)]
        if ends[-1] != len(joined):
            raise DamagedSnapshot(f"column {name} has texts of other lengths")
        return [
            None if n < 0 else joined[a : a + n]
            for n, a in zip(lengths.tolist(), ends[:-1], strict=True)
        ]

    def names(self, name: str) -> list[str]:
        """A column of texts, none of which is missing."""
        found = [text for text in self.texts(name) if text is not None]
        if len(found) != len(self.array(f"{name}#n", np.int32)):
            raise DamagedSnapshot(f"column {name} lacks a text")
        return found
