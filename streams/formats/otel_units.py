"""Spans and log records out of every wrapping OpenTelemetry data travels in.

OTLP/JSON with and without outer wrappers, snake-case names, protobufjs dumps, console exporters
of Python and JavaScript, ClickHouse rows. 64-bit numbers may be text, numbers or {low, high}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from streams.formats.documents import documents_in
from streams.formats.times import epoch_s
from streams.formats.values import first, long_pair, mapping


@dataclass(slots=True)
class Event:
    """A span event: name, attributes, body if it has one."""

    name: str
    attributes: dict[str, Any]
    body: object = None


@dataclass(slots=True)
class Unit:
    """One span or log record, unwrapped. Times in epoch seconds; `leaf` is the object it was."""

    name: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    is_log: bool
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    start_s: float | None = None
    end_s: float | None = None
    status: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    body: object = None
    scope: str = ""
    leaf: dict[str, Any] = field(default_factory=dict)

    @property
    def raw(self) -> dict[str, Any]:
        """What account paths are looked up in."""
        return {
            "attributes": self.attributes,
            "resource": {"attributes": self.resource},
            "body": self.body,
            "name": self.name,
        }


_STAMPS = (
    "timeUnixNano",
    "time_unix_nano",
    "timestamp",
    "Timestamp",
    "hrTime",
    "observedTimeUnixNano",
    "observed_time_unix_nano",
    "observed_timestamp",
)
WRAPPERS = (
    "resourceSpans",
    "resource_spans",
    "resourceLogs",
    "resource_logs",
    "scopeSpans",
    "scope_spans",
    "scopeLogs",
    "scope_logs",
    "instrumentationLibrarySpans",
    "resourceMetrics",
    "scopeMetrics",
)
_OUTER, _SCOPES = WRAPPERS[:4], WRAPPERS[4:9]
_LEAVES = ("spans", "logRecords", "log_records", "logs")


def units_in(obj: object) -> Iterator[Unit]:
    """All spans and log records in the object."""
    if isinstance(obj, str):
        for document in documents_in(obj)[0]:
            yield from units_in(document)
    elif isinstance(obj, list):
        for entry in obj:
            yield from units_in(entry)
    elif isinstance(obj, dict):
        yield from _of_object(obj)


def _of_object(obj: dict[str, Any]) -> Iterator[Unit]:
    for name in _OUTER:
        for entry in _listed(obj.get(name)):
            yield from _of_object(entry)
    resource = attributes_of(mapping(obj.get("resource")).get("attributes"))
    wrapped = False
    for name in _SCOPES:
        for scope in _listed(obj.get(name)):
            wrapped = True
            yield from _of_scope(scope, resource)
    if not wrapped and not any(name in obj for name in WRAPPERS):
        if isinstance(obj.get("spans"), list):
            yield from _of_scope(obj, resource)
        else:
            yield _unit(obj, resource, "")


def _of_scope(scope: dict[str, Any], resource: dict[str, Any]) -> Iterator[Unit]:
    name = mapping(first(scope.get("scope"), scope.get("instrumentationLibrary"))).get("name")
    for key in _LEAVES:
        for entry in _listed(scope.get(key)):
            yield _unit(entry, resource, name if isinstance(name, str) else "")


def _listed(value: object) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value]
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def only(obj: object, keep: Callable[[dict[str, Any]], bool]) -> Any:
    """The object with the spans and log records that `keep` takes (`Unit.leaf`), wrappers as they
    are; None where none is left. Nothing of `obj` is changed."""
    if isinstance(obj, list):
        return [part for entry in obj if (part := only(entry, keep)) is not None] or None
    if not isinstance(obj, dict):
        return None
    if any(name in obj for name in WRAPPERS):
        outer = _filtered(obj, _OUTER, lambda entry: only(entry, keep))
        scopes = _filtered(obj, _SCOPES, lambda entry: _only_of_scope(entry, keep))
        kept = {**outer, **scopes}
        rest = {name: value for name, value in obj.items() if name not in (*_OUTER, *_SCOPES)}
        return {**rest, **kept} if kept else None
    if isinstance(obj.get("spans"), list):
        return _only_of_scope(obj, keep)
    return obj if keep(obj) else None


def _only_of_scope(
    scope: dict[str, Any], keep: Callable[[dict[str, Any]], bool]
) -> dict[str, Any] | None:
    kept = _filtered(scope, _LEAVES, lambda leaf: leaf if keep(leaf) else None)
    rest = {name: value for name, value in scope.items() if name not in _LEAVES}
    return {**rest, **kept} if kept else None


def _filtered(
    obj: dict[str, Any], names: tuple[str, ...], change: Callable[[dict[str, Any]], Any]
) -> dict[str, list[Any]]:
    """The lists of these names, each entry changed; without entries and lists that are gone."""
    found = {}
    for name in names:
        kept = [part for entry in _listed(obj.get(name)) if (part := change(entry)) is not None]
        if kept:
            found[name] = kept
    return found


def _unit(raw: dict[str, Any], resource: dict[str, Any], scope: str) -> Unit:
    attributes = attributes_of(
        first(
            raw.get("attributes"),
            raw.get("SpanAttributes"),
            raw.get("LogAttributes"),
            raw.get("tags"),
        )
    )
    context = mapping(first(raw.get("context"), raw.get("_spanContext"), raw.get("spanContext")))
    start = first(
        raw.get("startTimeUnixNano"),
        raw.get("start_time_unix_nano"),
        raw.get("startTime"),
        raw.get("start_time"),
    )
    end = first(
        raw.get("endTimeUnixNano"),
        raw.get("end_time_unix_nano"),
        raw.get("endTime"),
        raw.get("end_time"),
    )
    body = raw.get("body", raw.get("Body", raw.get("_body")))
    is_log = start is None and (
        body is not None
        or "logRecords" in raw
        or "hrTime" in raw
        or "eventName" in raw
        or "event_name" in raw
        or "severityText" in raw
        or "LogAttributes" in raw
    )
    start_s = epoch_s(start, "startTimeUnixNano")
    for key in _STAMPS:  # 0 stands for "not set": the next one counts
        if start_s is None:
            start_s = epoch_s(raw.get(key), key)
    if start_s is None:
        start_s = epoch_s(attributes.get("event.timestamp"), "event.timestamp")
    end_s = epoch_s(end, "endTimeUnixNano")
    name = first(
        raw.get("eventName"),
        raw.get("event_name"),
        raw.get("name"),
        raw.get("SpanName"),
        raw.get("operationName"),
    )
    if is_log:
        name = first(attributes.get("event.name"), name)
    unit = Unit(
        name=name if isinstance(name, str) else "",
        attributes=attributes,
        resource=resource or attributes_of(raw.get("ResourceAttributes")),
        is_log=is_log,
        trace_id=id_of(
            first(
                raw.get("traceId"),
                raw.get("trace_id"),
                raw.get("TraceId"),
                raw.get("traceID"),
                context.get("trace_id"),
                context.get("traceId"),
            )
        ),
        span_id=id_of(
            first(
                raw.get("spanId"),
                raw.get("span_id"),
                raw.get("SpanId"),
                raw.get("spanID"),
                context.get("span_id"),
                context.get("spanId"),
                raw.get("id"),
            )
        ),
        parent_id=id_of(
            first(
                raw.get("parentSpanId"),
                raw.get("parent_span_id"),
                raw.get("ParentSpanId"),
                raw.get("parent_id"),
                raw.get("parentId"),
            )
        ),
        start_s=start_s,
        end_s=end_s,
        status=_status(raw),
        events=[_event(entry) for entry in _listed(raw.get("events"))],
        body=any_value(body),
        scope=scope,
        leaf=raw,
    )
    if unit.end_s is None and start_s is not None and isinstance(raw.get("duration"), int | float):
        unit.end_s = start_s + raw["duration"] / 1e6  # JavaScript console: microseconds
    return unit


def _status(raw: dict[str, Any]) -> dict[str, Any]:
    status = raw.get("status")
    if isinstance(status, dict):
        return status
    code = first(raw.get("status_code"), raw.get("StatusCode"), status)
    return {"code": code, "message": first(raw.get("status_message"), raw.get("StatusMessage"))}


def _event(raw: dict[str, Any]) -> Event:
    attributes = attributes_of(raw.get("attributes"))
    name = first(raw.get("name"), raw.get("eventName"), attributes.get("event.name"))
    return Event(name if isinstance(name, str) else "", attributes, any_value(raw.get("body")))


def id_of(value: object) -> str:
    """A trace or span id in hex: text (0x-prefixed or not) or the bytes of a Buffer dump."""
    if isinstance(value, str):
        text = value.removeprefix("0x").lower()
        return "" if set(text) <= {"0"} else text
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]
    if isinstance(value, list) and all(isinstance(part, int) and 0 <= part < 256 for part in value):
        return bytes(value).hex()
    return ""


def attributes_of(value: object) -> dict[str, Any]:
    """Attributes as a flat mapping, from OTLP's list of pairs or from a plain map."""
    if isinstance(value, dict):
        return {str(name): any_value(inner) for name, inner in value.items()}
    out: dict[str, Any] = {}
    if isinstance(value, list):
        for pair in value:
            if isinstance(pair, dict) and isinstance(pair.get("key"), str):
                out[pair["key"]] = any_value(pair.get("value"))
    return out


_SCALARS = (
    "stringValue",
    "string_value",
    "boolValue",
    "bool_value",
    "doubleValue",
    "double_value",
    "bytesValue",
    "bytes_value",
)


def any_value(value: object, depth: int = 0) -> Any:
    """OTLP's AnyValue unwrapped; other JSON stays as it is."""
    if not isinstance(value, dict) or depth > 40:
        return value
    if len(value) == 1 or "kind" in value or "$case" in value:
        for name in _SCALARS:
            if name in value:
                return value[name]
        for name in ("intValue", "int_value"):
            if name in value:
                return _integer(value[name])
        for name in ("arrayValue", "array_value"):
            if name in value:
                inner = mapping(value[name]).get("values")
                return (
                    [any_value(entry, depth + 1) for entry in inner]
                    if isinstance(inner, list)
                    else []
                )
        for name in ("kvlistValue", "kvlist_value"):
            if name in value:
                inner = mapping(value[name]).get("values")
                return {
                    pair["key"]: any_value(pair.get("value"), depth + 1)
                    for pair in (inner if isinstance(inner, list) else [])
                    if isinstance(pair, dict) and isinstance(pair.get("key"), str)
                }
    return value


def _integer(value: object) -> Any:
    if isinstance(value, dict) and "low" in value:
        pair = long_pair(value, "intValue")
        return pair - 2**64 if pair >= 2**63 else pair
    if isinstance(value, str) and value.lstrip("-").isdigit() and len(value) < 30:
        return int(value)
    return value
