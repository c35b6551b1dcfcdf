"""Vertex AI request-response logs (BigQuery rows) and bare Gemini exchanges.

`full_request` and `full_response` hold the bodies, as objects or JSON text; a streamed answer is a
list of chunks. `logging_time` is when the row was written.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build, join_response
from streams.formats.exchange import model_in_path, read_envelope
from streams.formats.format import Context, Format
from streams.formats.request_body import read_request
from streams.formats.response_body import read_response
from streams.formats.times import epoch_s
from streams.formats.values import (
    Fields,
    first,
    identity,
    is_absent,
    json_in,
    mapping,
    sequence,
    text_of,
)
from streams.record import ApiRequest

EXAMPLE = (
    b'{"endpoint":"projects/p-1/locations/eu/publishers/google/models/m-small","logging_time":'
    b'"2026-03-01T08:00:00.5Z","request_id":71,"model":"m-small","api_method":"generateContent",'
    b'"full_request":{"contents":[{"role":"user","parts":[{"text":"Name a bird."}]}]},'
    b'"full_response":{"candidates":[{"content":{"role":"model","parts":[{"text":"Wren."}]},'
    b'"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":11,"candidatesTokenCount":3}}}'
)

_ACCOUNTS = (
    "metadata.labels.user",
    "labels.user",
    "full_request.labels.user",
    "metadata(json).user_id",
    "user_id",
    "account",
    "full_request.labels.customer",
)


def recognises(obj: Any) -> bool:
    """The row's own names, or an exchange whose body has `contents` or `candidates`."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    if not isinstance(obj, dict):
        return False
    if "full_request" in obj or ("request_payload" in obj and "logging_time" in obj):
        return True
    return any(
        isinstance(body, dict)
        and (
            isinstance(body.get("contents"), list)
            or isinstance(body.get("candidates"), list)
            or "usageMetadata" in body
        )
        for body in (
            obj,
            obj.get("request"),
            obj.get("body"),
            obj.get("response"),
            mapping(obj.get("request")).get("body"),
            mapping(obj.get("response")).get("body"),
        )
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a row or exchange; a list of chunks is one answer."""
    if isinstance(obj, list):
        if all("candidates" in entry or "usageMetadata" in entry for entry in obj):
            return [_read({"response": obj}, context)]
        return [request for entry in obj for request in decode(entry, context)]
    return [_read(obj, context)]


def _read(row: dict[str, Any], context: Context) -> ApiRequest:
    fields: Fields = {"source": "vertex"}
    request, response = mapping(row.get("request")), row.get("response")
    asked = first(
        mapping(row.get("full_request")),
        _joined(row.get("request_payload")),
        mapping(request.get("body")),
        mapping(row.get("body")),
        request,
        row,
    )
    fields.update(read_request(asked if isinstance(asked, dict) else {}))
    inner = response.get("body") if isinstance(response, dict) and "body" in response else response
    answer = first(row.get("full_response"), _joined(row.get("response_payload")), inner)
    if answer is None and ("candidates" in row or "usageMetadata" in row):
        answer = row
    if not is_absent(answer):
        join_response(fields, read_response(answer))
    status = response.get("status") if isinstance(response, dict) else None
    envelope = {name: value for name, value in row.items() if name not in ("model", "endpoint")}
    read_envelope(envelope, fields, status)
    if "logging_time" in row and "event_time_s" not in fields:
        when = epoch_s(row["logging_time"], "logging_time")
        if when is not None:
            fields["event_time_s"] = when
    path = text_of(row.get("endpoint"))
    model = text_of(row.get("model")) or fields.get("model") or model_in_path(path)
    if model is not None:
        fields["model"] = model.rsplit("/", 1)[-1]
    if path is not None:
        fields.setdefault("endpoint", path)
    method = text_of(row.get("api_method"))
    if method is not None and fields.get("stream") is None:
        fields["stream"] = "stream" in method.lower()
    if "full_request" in row or "logging_time" in row:
        fields["provider"] = "vertex"
    if (request_id := identity(row.get("request_id"))) is not None:
        fields["event_id"] = request_id
    context.put_account(row, fields, *_ACCOUNTS)
    return build(fields)


def _joined(payload: object) -> object:
    """Payload columns are lists of texts that together are one JSON document."""
    parts = [part for part in sequence(payload) if isinstance(part, str)]
    return json_in("".join(parts)) if parts else None


FORMAT = Format("vertex", recognises, decode, EXAMPLE)
