"""A file that is one JSON document over many lines: an array of records, or one printed record.

Exports by hand and by HTTP look so. The document is read whole, up to a limit.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from streams.line_reader import DAMAGE, MAX_LINE_BYTES, Line, open_bytes, too_long_line

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


def begins_document(first_line: bytes) -> bool:
    """Whether a file's first line opens a JSON value that it does not close."""
    if first_line.lstrip()[:1] not in (b"[", b"{"):
        return False
    try:
        msgspec.json.decode(first_line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return True
    return False


def read_document(path: Path, max_line_bytes: int = MAX_LINE_BYTES) -> list[Line] | None:
    """The array's elements, numbered from 1, or the one record; None when the file is neither.

    Neither is also a damaged file and one past MAX_DOCUMENT_BYTES: read its lines instead.
    Raises OSError when the file cannot be opened.
    """
    parts: list[bytes] = []
    length = 0
    with open_bytes(path) as stream:
        try:
            while length <= MAX_DOCUMENT_BYTES and (part := stream.read(1 << 20)):
                parts.append(part)
                length += len(part)
        except DAMAGE:
            return None
    if length > MAX_DOCUMENT_BYTES:
        return None
    document = b"".join(parts).removeprefix(_BOM)
    try:
        if document.lstrip()[:1] == b"[":
            found = msgspec.json.decode(document, type=list[msgspec.Raw])
        else:
            found = [msgspec.json.decode(document, type=msgspec.Raw)]
    except (msgspec.DecodeError, RecursionError):
        return None
    values = [bytes(raw) for raw in found]
    return [
        Line(number, value, len(value))
        if len(value) <= max_line_bytes
        else too_long_line(number, value, max_line_bytes)
        for number, value in enumerate(values, start=1)
    ]
