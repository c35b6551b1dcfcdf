"""Records inside shippers' envelopes that no format knows: text in a cell, base64, arrays, lines.

Docker and Fluentd put a line under `log` or `message`, Elasticsearch under `_source`, queues under
`value` or `payload`; the text may be JSON, base64 of gzip, or several documents.
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams.formats.base64_text import unwrapped
from streams.formats.documents import documents_in
from streams.formats.sse import looks_streamed
from streams.formats.values import json_in

_CELLS = (
    "log",
    "message",
    "@message",
    "msg",
    "_source",
    "value",
    "payload",
    "data",
    "record",
    "event",
    "line",
    "body",
    "content",
    "raw",
    "jsonPayload",
    "textPayload",
    "_raw",
    "entry",
    "MESSAGE",
    "fields",
    "logs",
    "records",
    "events",
    "items",
    "entries",
)


def inner_records(obj: object) -> list[object]:
    """What lies one wrapping deeper; empty if nothing does."""
    if isinstance(obj, str):
        return _of_text(obj)
    if isinstance(obj, list):
        return [entry for entry in obj if isinstance(entry, dict | list | str)]
    if isinstance(obj, dict):
        return _of_object(obj)
    return []


def _of_text(text: str) -> list[object]:
    parsed = json_in(text)
    if parsed is not None:
        return [parsed]
    if text.lstrip()[:1] in ("{", "["):
        return documents_in(text)[0]
    inner = unwrapped(text) if len(text) >= 40 else None
    if inner is None:
        return []
    try:
        decoded: object = msgspec.json.decode(inner)
    except (msgspec.DecodeError, RecursionError):
        return documents_in(inner.decode("utf-8", "replace"))[0]
    return [decoded]


def _of_object(obj: dict[str, Any]) -> list[object]:
    for name in _CELLS:
        value = obj.get(name)
        if isinstance(value, dict | list) and value:
            return [value]
        if isinstance(value, str) and (
            value.lstrip()[:1] in ("{", "[") or looks_streamed(value) or unwrapped(value)
        ):
            return [value]
    return []
