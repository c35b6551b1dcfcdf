"""Kong Gateway logs with AI plugins: one entry or a batch; `ai.proxy` or `ai` of older releases.

Usage 0 beside a streamed answer means that Kong did not count. `started_at` is in milliseconds.
Entries without `ai` are plain HTTP requests of the same gateway and give nothing.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build, join_response, put_models
from streams.formats.exchange import body_of_text, path_of, put_status, settle_outcome
from streams.formats.format import Context, Format
from streams.formats.headers import lowered, read_headers
from streams.formats.request_body import read_request
from streams.formats.response_body import read_response
from streams.formats.times import epoch_s
from streams.formats.tokens import drop_empty_usage, read_usage
from streams.formats.values import Fields, amount, first, identity, mapping, text_of
from streams.record import ApiRequest

EXAMPLE = (
    b'{"client_ip":"192.0.2.20","started_at":1772352000500,"latencies":{"request":750},'
    b'"request":{"id":"k-1","method":"POST","uri":"/chat","headers":{"user-agent":"x/1"}},'
    b'"response":{"status":200},"consumer":{"username":"blue","custom_id":"acct_9"},"ai":{"proxy":'
    b'{"payload":{"request":"{\\"model\\":\\"m-small\\",\\"messages\\":[{\\"role\\":\\"user\\",'
    b'\\"content\\":\\"Name a bird.\\"}]}"},"usage":{"prompt_tokens":11,"completion_tokens":3},'
    b'"meta":{"request_model":"m-small","provider_name":"openai","request_mode":"oneshot"}}}}'
)

_ACCOUNTS = (
    "consumer.custom_id",
    "consumer.username",
    "consumer.id",
    "authenticated_entity.consumer_id",
    "authenticated_entity.id",
)


def recognises(obj: Any) -> bool:
    """Kong's envelope: latencies and tries or a route beside request and response."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    return (
        isinstance(obj, dict)
        and isinstance(obj.get("latencies"), dict)
        and ("started_at" in obj or "tries" in obj)
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request an entry that has an AI part."""
    if isinstance(obj, list):
        return [request for entry in obj for request in decode(entry, context)]
    part = _ai_part(obj)
    return [_read(obj, part, context)] if part is not None else []


def _ai_part(entry: dict[str, Any]) -> dict[str, Any] | None:
    ai = entry.get("ai")
    if not isinstance(ai, dict) or not ai:
        return None
    for name in ("proxy", "ai-proxy", "ai-proxy-advanced", "ai_proxy"):
        if isinstance(ai.get(name), dict):
            return {**ai, **ai[name]}
    nested = next(
        (
            value
            for value in ai.values()
            if isinstance(value, dict) and ("usage" in value or "meta" in value)
        ),
        None,
    )
    return {**ai, **nested} if nested is not None else ai


def _read(entry: dict[str, Any], part: dict[str, Any], context: Context) -> ApiRequest:
    payload, meta = mapping(part.get("payload")), mapping(part.get("meta"))
    fields: Fields = {"source": "kong"}
    asked = payload.get("request")
    if isinstance(asked, dict):
        fields.update(read_request(asked))
    elif isinstance(asked, str) and asked:
        body, cut = body_of_text(asked)
        fields.update(read_request(body or {}))
        if cut:
            fields["truncated"] = True
    if payload.get("response"):
        join_response(fields, read_response(payload["response"]))
    usage = read_usage(part.get("usage"), "ai.proxy.usage")
    drop_empty_usage(usage)
    fields.update(usage)
    put_models(
        fields,
        text_of(meta.get("request_model")) or fields.get("model"),
        text_of(meta.get("response_model")),
    )
    if provider := text_of(meta.get("provider_name")):
        fields["provider"] = provider.lower()
    if mode := text_of(meta.get("request_mode")):
        fields["stream"] = mode == "stream"
    _read_envelope(entry, part, fields)
    context.put_account(entry, fields, *_ACCOUNTS)
    return build(fields)


def _read_envelope(entry: dict[str, Any], part: dict[str, Any], fields: Fields) -> None:
    request, response = mapping(entry.get("request")), mapping(entry.get("response"))
    when = epoch_s(entry.get("started_at"), "started_at")
    if when is not None:
        fields["event_time_s"] = when
    if (request_id := identity(request.get("id"))) is not None:
        fields["event_id"] = request_id
    read_headers(lowered(request.get("headers")), fields)
    if address := text_of(entry.get("client_ip")):
        fields["client_ip"] = address
    path = first(request.get("uri"), entry.get("upstream_uri"))
    if isinstance(path, str):
        fields["endpoint"] = path_of(path)
    put_status(response.get("status"), fields)
    settle_outcome(fields)
    spent = amount(mapping(entry.get("latencies")).get("request"), "latencies.request")
    if spent is not None:
        fields["latency_ms"] = spent
    usage = mapping(part.get("usage"))
    ttft = amount(usage.get("time_to_first_token"), "time_to_first_token")
    if ttft:
        fields["ttft_ms"] = ttft
    if cost := amount(usage.get("cost"), "cost"):
        fields["cost_usd"] = cost


FORMAT = Format("kong", recognises, decode, EXAMPLE)
