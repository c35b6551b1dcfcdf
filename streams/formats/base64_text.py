"""Base64 in logs: record payloads, gzip inside, once or twice, with a bound on size and depth."""

from __future__ import annotations

import base64
import binascii
import re
import zlib

MOST_BYTES = 64 * 1024 * 1024
"""A payload may not inflate past this: a small gzip can hold gigabytes."""

_ALPHABET = re.compile(rb"[A-Za-z0-9+/_\-\s]+=*\s*")


def decoded_bytes(text: str | bytes) -> bytes | None:
    """The bytes behind base64 text (standard or URL alphabet), or None if it is none."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if len(raw) < 8 or not _ALPHABET.fullmatch(raw):
        return None
    try:
        padded = raw.strip() + b"=" * (-len(raw.strip()) % 4)
        return base64.b64decode(padded.replace(b"-", b"+").replace(b"_", b"/"), validate=True)
    except (binascii.Error, ValueError):
        return None


def inflated(data: bytes, most_bytes: int = MOST_BYTES) -> bytes | None:
    """Gunzips if the data is gzip; None if it is broken or larger than `most_bytes`."""
    if data[:2] != b"\x1f\x8b":
        return data
    engine = zlib.decompressobj(wbits=31)
    try:
        out = engine.decompress(data, most_bytes)
    except zlib.error:
        return None
    return None if engine.unconsumed_tail else out


def unwrapped(text: str | bytes, depth: int = 4) -> bytes | None:
    """Opens base64 and gzip layers until JSON appears; None when it never does."""
    data: bytes | None = text.encode("utf-8", "replace") if isinstance(text, str) else text
    for _ in range(depth):
        if data is None:
            return None
        if data[:2] == b"\x1f\x8b":
            data = inflated(data)
        elif data.lstrip()[:1] in (b"{", b"["):
            return data
        else:
            data = decoded_bytes(data)
    return data if data is not None and data.lstrip()[:1] in (b"{", b"[") else None
