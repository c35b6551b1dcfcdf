"""OpenAI-shaped logs: chat, Responses and completions exchanges, batch files, streams, bare bodies.

Shapes from the OpenAI API reference and from gateways that log request and answer side by side.
"""

from __future__ import annotations

from typing import Any

from streams.formats.exchange import read_exchange
from streams.formats.format import Context, Format
from streams.formats.http_entry import http_path, is_model_call
from streams.formats.request_body import looks_like_request
from streams.formats.sse import looks_streamed, read_stream
from streams.formats.values import mapping
from streams.record import ApiRequest

EXAMPLE = (
    b'{"timestamp":"2026-03-01T08:00:00Z","user_id":"acct_9","request":{"method":"POST",'
    b'"path":"/v1/chat/completions","headers":{"user-agent":"OpenAI/Python 2.0.0"},"body":'
    b'{"model":"m-small","temperature":0.5,"messages":[{"role":"user","content":"Name a bird."}]}},'
    b'"response":{"status":200,"body":{"id":"c-1","object":"chat.completion","model":"m-small",'
    b'"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":'
    b'"Wren."}}],"usage":{"prompt_tokens":11,"completion_tokens":3}}}}'
)


def recognises(obj: Any) -> bool:
    """An exchange, a batch line, a stream of chunks or a bare body in OpenAI's shape."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    if isinstance(obj, str):
        if not looks_streamed(obj):
            return False
        return any(
            "choices" in event or str(event.get("type", "")).startswith("response.")
            for event in read_stream(obj)[0]
        )
    if not isinstance(obj, dict):
        return False
    if "custom_id" in obj and ("body" in obj or "response" in obj):
        return True
    return holds_exchange(obj) or http_path(obj) is not None


def holds_exchange(obj: dict[str, Any]) -> bool:
    """True if a request body or an answer in a known shape is where gateways put it."""
    request = obj.get("request")
    for body in (
        obj.get("body"),
        obj.get("request_body"),
        obj.get("input"),
        request,
        request.get("body") if isinstance(request, dict) else None,
        obj,
    ):
        if looks_like_request(body):
            return True
        if isinstance(body, str) and body.lstrip()[:1] == "{":
            # a body that the log cut is still a body
            head = body[:4000]
            if '"messages"' in head or '"prompt"' in head or '"input"' in head:
                return True
    response = obj.get("response")
    for answer in (
        obj,
        response,
        mapping(response).get("body"),
        obj.get("output"),
        obj.get("response_body"),
    ):
        if isinstance(answer, dict) and (
            isinstance(answer.get("choices"), list)
            or answer.get("object")
            in ("response", "chat.completion", "text_completion", "chat.completion.chunk")
            or (answer.get("type") == "message" and "usage" in answer)
        ):
            return True
    return False


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request an exchange or batch line; a list of them gives each; plain HTTP gives none."""
    if isinstance(obj, list):
        if obj and all(
            entry.get("object") == "chat.completion.chunk"
            for entry in obj
            if isinstance(entry, dict)
        ):
            return [read_exchange({"response": {"body": obj}, **_created(obj)}, context, "openai")]
        return [request for entry in obj for request in decode(entry, context)]
    if isinstance(obj, str):
        events, _ = read_stream(obj)
        raw = {"response": {"body": obj}, **_created(events)}
        return [read_exchange(raw, context, "openai/sse")]
    if "custom_id" not in obj and not holds_exchange(obj):
        path = http_path(obj)
        if path is None or not is_model_call(path):
            return []  # health checks, model lists: HTTP of the same gateway
    return [read_exchange(obj, context, "openai")]


def _created(events: list[Any]) -> dict[str, Any]:
    for event in events:
        if isinstance(event, dict):
            created = event.get("created") or mapping(event.get("response")).get("created_at")
            if created:
                return {"created_at": created}
    return {}


FORMAT = Format("openai", recognises, decode, EXAMPLE)
