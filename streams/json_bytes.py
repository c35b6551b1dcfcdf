"""Bytes to JSON values, for logs that are not always JSON: text lines, half surrogates, NUL.

Kept apart from `intake` because inspection reads files with the same rules.
"""

from __future__ import annotations

import re

import msgspec

from streams.errors import MalformedRecord

_SURROGATE_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)",
    re.DOTALL,
)


def decode_json(value: bytes) -> object:
    """The JSON value, or the text itself when the bytes are no JSON but readable text.

    Half surrogate pairs become U+FFFD: JSON may hold them, UTF-8 may not. Invalid UTF-8 likewise.

    Raises:
        MalformedRecord: empty, binary, or JSON that breaks off.
    """
    if value[:3] == b"\xef\xbb\xbf":
        value = value[3:]
    try:
        parsed: object = msgspec.json.decode(value)
        return parsed
    except RecursionError:
        raise MalformedRecord("", "JSON of reasonable depth", "deep nesting") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error)
    repaired = without_half_pairs(value)
    if repaired is not value:
        try:
            return msgspec.json.decode(repaired)
        except RecursionError:
            raise MalformedRecord("", "JSON of reasonable depth", "deep nesting") from None
        except msgspec.DecodeError as error:
            reason = str(error)
    return _as_text(repaired, reason)


def without_half_pairs(value: bytes) -> bytes:
    """The bytes with half surrogate escapes and invalid UTF-8 replaced by U+FFFD."""
    out = value
    if b"\\u" in value:
        out = _SURROGATE_ESCAPE.sub(
            lambda found: b"\\ufffd" if len(found.group()) == 6 else found.group(), value
        )
    try:
        out.decode("utf-8")
    except UnicodeDecodeError:
        out = out.decode("utf-8", "replace").encode("utf-8")
    return value if out == value else out


def _as_text(value: bytes, reason: str) -> str:
    """Text lines and transcripts are read by the text formats; all else is malformed."""
    text = value.decode("utf-8", "replace")
    if not text.strip():
        raise MalformedRecord("", "a record", "an empty one")
    if "\ufffd" * 4 in text or "\x00" in text[:64]:
        raise MalformedRecord("", "JSON or text", "binary data")
    head = text.lstrip()[:1]
    if head in ("{", "[") and "\n" not in text.strip() and "}{" not in text:
        raise MalformedRecord("", "JSON", reason)
    return text
