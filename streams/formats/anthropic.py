"""Anthropic-shaped logs: Messages exchanges, event streams, refusals, fallbacks, batch files.

Shapes from the Messages API reference; refusals carry `stop_details` and HTTP 200, a fallback's
answer names the model that served in `model` and the refused attempt in a `fallback` block.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build, join_response
from streams.formats.errors_in import read_error
from streams.formats.exchange import ACCOUNTS, read_envelope, read_exchange
from streams.formats.format import Context, Format
from streams.formats.http_entry import http_path
from streams.formats.openai import holds_exchange
from streams.formats.request_body import read_request
from streams.formats.response_body import read_response
from streams.formats.sse import looks_streamed, read_stream
from streams.formats.values import Fields, identity, mapping, text_of
from streams.record import ApiRequest

EXAMPLE = (
    b'{"timestamp":"2026-03-01T08:00:00Z","user_id":"acct_9","request":{"method":"POST",'
    b'"path":"/v1/messages","body":{"model":"m-large","max_tokens":64,"system":"Be brief.",'
    b'"messages":[{"role":"user","content":"Name a bird."}]}},"response":{"status":200,"body":'
    b'{"id":"msg_1","type":"message","role":"assistant","model":"m-large","content":[{"type":'
    b'"text","text":"Wren."}],"stop_reason":"end_turn","usage":{"input_tokens":14,'
    b'"cache_read_input_tokens":8,"output_tokens":4}}}}'
)

_ACCOUNTS = (*ACCOUNTS, "request.body.metadata.user_id", "body.metadata.user_id")
_EVENTS = frozenset(
    {"message_start", "message_delta", "content_block_delta", "content_block_start", "message_stop"}
)
_FALLBACKS = frozenset({"model_refusal_fallback", "model_refusal_no_fallback"})


def recognises(obj: Any) -> bool:
    """A Messages exchange, answer, stream, batch line or refusal note."""
    if isinstance(obj, list):
        return bool(obj) and (
            _is_stream(obj) or all(isinstance(entry, dict) and recognises(entry) for entry in obj)
        )
    if isinstance(obj, str):
        return looks_streamed(obj) and _is_stream(read_stream(obj)[0])
    if not isinstance(obj, dict):
        return False
    if _kind(obj, "subtype") in _FALLBACKS or _kind(obj) in _EVENTS:
        return True
    if "custom_id" in obj:
        return _is_batch_line(obj)
    if isinstance(obj.get("requests"), list):
        return any(_is_batch_line(entry) for entry in obj["requests"])
    if _is_transcript(obj):
        return True
    path = http_path(obj)
    if path is not None and path.split("?")[0].rstrip("/").endswith("/v1/messages"):
        return True
    return _is_messages(obj) and holds_exchange(obj)


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request an exchange, batch line or stream."""
    if isinstance(obj, str):
        return [read_exchange({"response": {"body": obj}}, context, "anthropic/sse")]
    if isinstance(obj, list):
        if _is_stream(obj):
            return [read_exchange({"response": {"body": obj}}, context, "anthropic/events")]
        return [request for entry in obj for request in decode(entry, context)]
    if _kind(obj, "subtype") in _FALLBACKS:
        return [_refusal_note(obj, context)]
    if _kind(obj) in _EVENTS:
        return []  # one event of a stream, alone: no request
    if isinstance(obj.get("requests"), list) and "custom_id" not in obj:
        return [_batch_line(entry, context) for entry in obj["requests"] if _is_batch_line(entry)]
    if "custom_id" in obj:
        return [_batch_line(obj, context)]
    if _is_transcript(obj):
        return _transcript(obj, context)
    return [read_exchange(obj, context, "anthropic", _ACCOUNTS)]


def _is_stream(events: list[Any]) -> bool:
    return any(isinstance(event, dict) and _kind(event) in _EVENTS for event in events)


def _kind(obj: dict[str, Any], name: str = "type") -> str:
    kind = obj.get(name)
    return kind if isinstance(kind, str) else ""


def _is_batch_line(obj: Any) -> bool:
    if not isinstance(obj, dict) or "custom_id" not in obj:
        return False
    return isinstance(obj.get("params"), dict) or isinstance(obj.get("result"), dict)


def _is_messages(obj: dict[str, Any]) -> bool:
    """Tells Messages from chat by path, version header, answer or request shape."""
    request = mapping(obj.get("request"))
    for path in (
        obj.get("path"),
        request.get("path"),
        obj.get("url"),
        request.get("url"),
        obj.get("endpoint"),
        obj.get("request_path"),
        request.get("uri"),
    ):
        if isinstance(path, str):
            if "/messages" in path and "/threads/" not in path:
                return True
            if "/chat/completions" in path or "/responses" in path:
                return False
    headers = obj.get("headers") or request.get("headers")
    if isinstance(headers, dict) and any(
        str(name).lower() == "anthropic-version" for name in headers
    ):
        return True
    response = obj.get("response")
    for value in (
        obj,
        response,
        response.get("body") if isinstance(response, dict) else None,
        obj.get("response_body"),
        obj.get("output"),
    ):
        answer: object = value
        if isinstance(value, str) and looks_streamed(value):
            answer = read_stream(value[:20_000])[0]
        if isinstance(answer, list):
            if _is_stream(answer):
                return True
        elif (parsed := mapping(answer)) and (
            (parsed.get("type") == "message" and "content" in parsed)
            or (parsed.get("type") == "error" and "error" in parsed)
        ):
            return True
    for body in (obj.get("body"), request.get("body"), obj.get("request_body"), request, obj):
        if isinstance(body, dict | str) and (parsed := mapping(body)):
            if "anthropic_version" in parsed or "stop_sequences" in parsed:
                return True
            model = parsed.get("model")
            if isinstance(parsed.get("messages"), list) and (
                "system" in parsed or (isinstance(model, str) and model.startswith("claude"))
            ):
                return True
    return False


def _batch_line(obj: dict[str, Any], context: Context) -> ApiRequest:
    """A line of a batch's input (`params`) or of its results (`result`)."""
    params = obj.get("params")
    fields: Fields = read_request(params) if isinstance(params, dict) else {}
    fields["source"] = "anthropic/batch"
    result = mapping(obj.get("result"))
    kind = result.get("type")
    if isinstance(result.get("message"), dict):
        join_response(fields, read_response(result["message"]))
    status: object = None
    if kind == "succeeded":
        status = "success"
    elif isinstance(kind, str):
        if result.get("error"):
            read_error(result["error"], fields)
        fields.setdefault("error_code", kind)
        status = "failure"
    read_envelope(
        {name: value for name, value in obj.items() if name not in ("result", "params")},
        fields,
        status,
    )
    fields.pop("event_id", None)
    context.put_account(obj, fields, *ACCOUNTS)
    return build(fields)


def _is_transcript(obj: dict[str, Any]) -> bool:
    """A line of Claude Code's session files."""
    return obj.get("type") in ("user", "assistant", "system", "summary", "result") and any(
        name in obj for name in ("sessionId", "session_id", "leafUuid", "parentUuid")
    )


def _transcript(obj: dict[str, Any], context: Context) -> list[ApiRequest]:
    """An assistant line is the answer of one request; other lines are none."""
    message = obj.get("message")
    if obj.get("type") != "assistant" or not isinstance(message, dict):
        return []
    fields: Fields = {"source": "anthropic/claude_code"}
    join_response(fields, read_response(message))
    read_envelope({"timestamp": obj.get("timestamp"), "request_id": obj.get("requestId")}, fields)
    context.put_account(obj, fields, *ACCOUNTS)
    return [build(fields)]


def _refusal_note(obj: dict[str, Any], context: Context) -> ApiRequest:
    """Claude Code's note of a refusal, with or without a fallback to another model."""
    fields: Fields = {
        "source": "anthropic/claude_code",
        "finish_reason_raw": "refusal",
        "finish_reason": "refusal",
    }
    read_envelope({name: value for name, value in obj.items() if name != "type"}, fields)
    if asked := text_of(obj.get("original_model")):
        fields["model"] = asked
    if served := text_of(obj.get("fallback_model")):
        fields["model_served"] = served
    if category := text_of(obj.get("api_refusal_category")):
        fields["refusal_category"] = category
    if session := identity(obj.get("request_id")):
        fields["event_id"] = session
    context.put_account(obj, fields, *ACCOUNTS)
    return build(fields)


FORMAT = Format("anthropic", recognises, decode, EXAMPLE)
