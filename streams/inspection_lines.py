"""The records of a file for inspection: lines, pretty-printed documents, transcripts; .gz, .zst."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import zstandard

from streams.formats.documents import documents_in
from streams.formats.sse import looks_streamed

MOST_DOCUMENT_BYTES = 256 * 1024 * 1024
"""Files that are not one record a line are read whole, up to this size."""


def open_log(path: Path) -> BinaryIO:
    """The file's bytes, decompressed by its suffix."""
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix in (".zst", ".zstd"):
        reader = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), closefd=True)
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, reader)))
    return path.open("rb")


def records_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number, record) pairs, numbered from 1 by the line a record starts on.

    Line by line as a rule. A file whose first line opens a JSON value and does not close it holds
    documents over several lines; one that starts as server-sent events is one transcript.
    """
    with open_log(path) as source:
        number, head = 0, b""
        for line in source:
            number += 1
            if line.strip():
                head = line
                break
        if not head:
            return
        if _over_several_lines(head):
            text = (head + source.read(MOST_DOCUMENT_BYTES)).decode("utf-8", "replace")
            yield from _documents(text, number)
            return
        if looks_streamed(head.decode("utf-8", "replace")):
            yield number, head + source.read(MOST_DOCUMENT_BYTES)
            return
        yield number, head.strip()
        for line in source:
            number += 1
            if stripped := line.strip():
                yield number, stripped


def _over_several_lines(head: bytes) -> bool:
    if head.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        msgspec.json.decode(head)
    except msgspec.DecodeError as error:
        text = str(error)
        return "truncated" in text and len(head.strip()) < 200
    except RecursionError:
        return False
    return False


def _documents(text: str, first_line: int) -> Iterator[tuple[int, bytes]]:
    at = 0
    documents, rest = documents_in(text)
    encode = msgspec.json.encode
    for document in documents:
        start = _next_start(text, at)
        line = first_line + text.count("\n", 0, start)
        at = _end_of(text, start)
        if isinstance(document, list) and all(
            isinstance(entry, dict) and "field" not in entry for entry in document
        ):
            for entry in document:
                yield line, encode(entry)
        else:
            yield line, text[start:at].encode("utf-8", "replace")
    if rest:
        start = _next_start(text, at)
        yield first_line + text.count("\n", 0, start), text[start:].encode("utf-8", "replace")


def _next_start(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,\x1e\ufeff":
        at += 1
    return at


def _end_of(text: str, start: int) -> int:
    depth = 0
    in_text = escaped = False
    for at in range(start, len(text)):
        char = text[at]
        if in_text:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_text = False
        elif char == '"':
            in_text = True
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth == 0:
                return at + 1
    return len(text)
