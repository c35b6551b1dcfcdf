"""The wrappings AWS puts around log records, opened to the records inside.

CloudWatch subscriptions (`logEvents[].message`), Firehose (`records[].data`), Kinesis to Lambda
(`Records[].kinesis.data`), `awslogs.data`, Logs Insights rows of cells, exports with `@message`,
EventBridge `detail`; JSON text and base64 gzip at any of these places.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.formats.base64_text import unwrapped
from streams.formats.documents import documents_in
from streams.formats.values import json_in

_DEEPEST = 8
_CONTROL = "CONTROL_MESSAGE"


@dataclass(slots=True)
class Opened:
    """The records found, and whether a control message or heartbeat was among them."""

    records: list[dict[str, Any]] = field(default_factory=list)
    control: bool = False
    opened: bool = False


def records_in(obj: object) -> Opened | None:
    """All records inside the wrappings; None if nothing here is one of them."""
    found = Opened()
    _open(obj, found, 0)
    return found if found.opened or found.records else None


def _open(obj: object, found: Opened, depth: int) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(obj, str):
        _open_text(obj, found, depth)
    elif isinstance(obj, list):
        if obj and all(isinstance(cell, dict) and "field" in cell for cell in obj):
            for cell in obj:
                if cell.get("field") == "@message":
                    found.opened = True
                    _open(cell.get("value"), found, depth + 1)
            return
        for entry in obj:
            if isinstance(entry, dict | list | str):
                _open(entry, found, depth + 1)
    elif isinstance(obj, dict):
        _open_object(obj, found, depth)


def _open_object(obj: dict[str, Any], found: Opened, depth: int) -> None:
    if obj.get("schemaType") == "ModelInvocationLog" or (
        "modelId" in obj and ("operation" in obj or "inputBodyJson" in obj)
    ):
        found.records.append(obj)
        return
    if obj.get("messageType") == _CONTROL:
        found.opened = found.control = True
        return
    for name in ("logEvents", "records", "Records", "results", "events", "queryResults"):
        if isinstance(obj.get(name), list):
            before = len(found.records)
            for entry in obj[name]:
                _open(entry, found, depth + 1)
            if name == "logEvents" or len(found.records) > before:
                found.opened = True
            return
    for name in ("message", "@message", "data", "Data", "detail", "kinesis", "awslogs"):
        inner = obj.get(name)
        if isinstance(inner, dict | list | str) and inner:
            _open(inner, found, depth + 1)
            if found.records or found.control:
                found.opened = True
                return


def _open_text(text: str, found: Opened, depth: int) -> None:
    head = text.lstrip()[:1]
    if head in ("{", "["):
        parsed = json_in(text)
        if parsed is not None:
            _open(parsed, found, depth + 1)
            return
        for entry in documents_in(text)[0]:  # several documents, the last perhaps cut
            _open(entry, found, depth + 1)
        return
    if len(text) < 40:
        return
    inner = unwrapped(text)
    if inner is None:
        return
    try:
        parsed = msgspec.json.decode(inner)
    except (msgspec.DecodeError, RecursionError):
        _open_text(inner.decode("utf-8", "replace"), found, depth + 1)
        return
    found.opened = True
    _open(parsed, found, depth + 1)
