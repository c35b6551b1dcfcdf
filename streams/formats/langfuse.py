"""Langfuse: observation exports (blob, UI, API) and ingestion batches of events.

Export times are UTC without a zone; `latency` and `time_to_first_token` are in seconds. In a batch
the trace holds the user, generation-create and -update together make one request.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build, put_models
from streams.formats.content import content_text
from streams.formats.format import Context, Format
from streams.formats.params import read_params, read_tools
from streams.formats.request_body import looks_like_request, put_messages, read_request
from streams.formats.times import epoch_s, span_ms
from streams.formats.tokens import drop_empty_usage, merge_usage, read_usage
from streams.formats.values import (
    Fields,
    amount,
    first,
    identity,
    is_absent,
    json_in,
    mapping,
    text_of,
)
from streams.record import ApiRequest

EXAMPLE = (
    b'{"id":"ob-1","trace_id":"tr-1","type":"GENERATION","start_time":"2026-03-01 08:00:00.500000",'
    b'"end_time":"2026-03-01 08:00:01.250000","provided_model_name":"m-small","model_parameters":'
    b'"{\\"temperature\\":0.5}","input":[{"role":"user","content":"Name a bird."}],"output":'
    b'{"role":"assistant","content":"Wren."},"usage_details":{"input":11,"output":3},'
    b'"user_id":"acct_9","level":"DEFAULT"}'
)

_ACCOUNTS = ("user_id", "userId", "trace.userId", "metadata.user_id", "metadata(json).user_id")


def recognises(obj: Any) -> bool:
    """An observation, or a batch of ingestion events."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    if not isinstance(obj, dict):
        return False
    if isinstance(obj.get("batch"), list):
        return any(_is_event(entry) for entry in obj["batch"])
    return _is_event(obj) or (
        ("trace_id" in obj or "traceId" in obj)
        and str(obj.get("type", "")).upper() in ("GENERATION", "SPAN", "EVENT", "TOOL", "AGENT")
    )


def _is_event(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("body"), dict)
        and str(entry.get("type", "")).endswith(("-create", "-update"))
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a generation."""
    if isinstance(obj, list) and not any(_is_event(entry) for entry in obj):
        return [request for entry in obj for request in decode(entry, context)]
    if isinstance(obj, list) or "batch" in obj or _is_event(obj):
        events = obj if isinstance(obj, list) else obj.get("batch", [obj])
        return [_read(entry, context) for entry in _joined(events)]
    if str(obj.get("type", "")).upper() != "GENERATION":
        return []
    return [_read(obj, context)]


def _joined(events: list[Any]) -> list[dict[str, Any]]:
    """Generations of a batch, creates and updates of one id put together, with their trace."""
    traces: dict[str, dict[str, Any]] = {}
    generations: dict[str, dict[str, Any]] = {}
    for event in events:
        if not _is_event(event):
            continue
        body, kind = event["body"], str(event["type"])
        name = identity(body.get("id")) or f"#{len(generations)}"
        if kind.startswith("trace"):
            traces.setdefault(name, {}).update(body)
        elif kind.startswith("generation") or (
            kind.startswith("observation") and str(body.get("type", "")).upper() == "GENERATION"
        ):
            known = generations.setdefault(name, {"timestamp": event.get("timestamp")})
            known.update({key: value for key, value in body.items() if value is not None})
    for entry in generations.values():
        trace = traces.get(identity(entry.get("traceId")) or "", {})
        entry.setdefault("trace", trace)
    return list(generations.values())


def _read(entry: dict[str, Any], context: Context) -> ApiRequest:
    fields: Fields = {"source": "langfuse"}
    _read_input(first(entry.get("input"), entry.get("prompt")), fields)
    output = entry.get("output")
    parsed = json_in(output) if isinstance(output, str) else output
    text = content_text(parsed if parsed is not None else output)
    if text:
        fields["output_text"], fields["output_chars"] = text, len(text)
    settings = mapping(first(entry.get("model_parameters"), entry.get("modelParameters")))
    read_params(settings, fields)
    if "tools" not in fields:
        read_tools(
            {
                "tools": json_in(str(entry.get("tool_definitions")))
                if isinstance(entry.get("tool_definitions"), str)
                else entry.get("tool_definitions")
            },
            fields,
        )
    model = text_of(
        first(
            entry.get("provided_model_name"),
            entry.get("model"),
            entry.get("providedModelName"),
            entry.get("internalModelId"),
        )
    )
    put_models(fields, model or fields.get("model"), None)
    for name in ("usage_details", "usageDetails", "usage"):
        merge_usage(fields, read_usage(entry.get(name), name))
    drop_empty_usage(fields)
    _read_rest(entry, fields)
    context.put_account(entry, fields, *_ACCOUNTS)
    return build(fields)


def _read_input(value: object, fields: Fields) -> None:
    if isinstance(value, str):
        parsed = json_in(value)
        value = parsed if parsed is not None else value
    if is_absent(value):
        return
    if isinstance(value, dict):
        if looks_like_request(value):
            fields.update(read_request(value))
            return
        put_messages([value], fields)
    else:
        put_messages(value, fields)


def _read_rest(entry: dict[str, Any], fields: Fields) -> None:
    start_s = epoch_s(
        first(entry.get("start_time"), entry.get("startTime"), entry.get("timestamp")), "start_time"
    )
    end_s = epoch_s(first(entry.get("end_time"), entry.get("endTime")), "end_time")
    if start_s is not None:
        fields["event_time_s"] = start_s
    if (spent := span_ms(start_s, end_s)) is not None:
        fields["latency_ms"] = spent
    token_s = epoch_s(
        first(entry.get("completion_start_time"), entry.get("completionStartTime")),
        "completion_start_time",
    )
    ttft = first(span_ms(start_s, token_s), entry.get("time_to_first_token"))
    if isinstance(ttft, int | float):
        fields["ttft_ms"] = float(ttft) if token_s is not None else float(ttft) * 1000.0
    if (event_id := identity(entry.get("id"))) is not None:
        fields["event_id"] = event_id
    if (
        cost := amount(
            first(entry.get("total_cost"), entry.get("calculatedTotalCost")), "total_cost"
        )
    ) is not None:
        fields["cost_usd"] = cost
    if str(entry.get("level", "")).upper() == "ERROR":
        message = text_of(first(entry.get("status_message"), entry.get("statusMessage")))
        word = (message or "error").split(":")[0]
        fields["error_code"] = word if len(word) <= 64 and " " not in word else "error"
        fields["status"] = "failure"


FORMAT = Format("langfuse", recognises, decode, EXAMPLE)
