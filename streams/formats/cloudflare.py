"""Cloudflare AI Gateway: REST log entries and Logpush rows (bodies and metadata encrypted).

Ciphertext is {key, iv, data, type: "encrypted"} and is never read as text.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build, join_response
from streams.formats.exchange import body_of_text, path_of, put_status, settle_outcome
from streams.formats.format import Context, Format
from streams.formats.request_body import read_request
from streams.formats.response_body import read_response
from streams.formats.times import epoch_s
from streams.formats.tokens import drop_empty_usage, read_usage
from streams.formats.values import (
    Fields,
    amount,
    first,
    flag,
    identity,
    is_absent,
    mapping,
    sequence,
    text_of,
)
from streams.record import ApiRequest

EXAMPLE = (
    b'{"id":"cf-1","cached":false,"created_at":"2026-03-01T08:00:00.500Z","duration":750,'
    b'"model":"m-small","path":"chat/completions","provider":"openai","success":true,'
    b'"tokens_in":11,"tokens_out":3,"metadata":"{\\"user\\":\\"acct_9\\"}","status_code":200}'
)

_ACCOUNTS = (
    "metadata.user",
    "metadata.user_id",
    "metadata.userId",
    "metadata.account",
    "metadata.customer",
    "metadata.team",
    "Metadata.user",
    "Metadata.user_id",
)


def recognises(obj: Any) -> bool:
    """The REST names (tokens_in, tokens_out) or the Logpush ones (Gateway, Endpoint, Cached)."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    if not isinstance(obj, dict):
        return False
    if isinstance(obj.get("result"), list | dict) and "success" in obj and "errors" in obj:
        return recognises(obj["result"])
    return ("tokens_in" in obj and "provider" in obj) or (
        "Gateway" in obj and "StatusCode" in obj and "Model" in obj
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request an entry; the REST answer's wrapper is opened."""
    if isinstance(obj, list):
        return [request for entry in obj for request in decode(entry, context)]
    if "tokens_in" not in obj and isinstance(obj.get("result"), list | dict):
        return decode(obj["result"], context)
    entry = {_NAMES.get(name, name): value for name, value in obj.items()}
    fields: Fields = {"source": "cloudflare_ai_gateway"}
    asked, answer = _clear(entry.get("request")), _clear(entry.get("response"))
    if isinstance(asked, str) and asked:
        body, cut = body_of_text(asked)
        fields.update(read_request(body or {}))
        if cut:
            fields["truncated"] = True
    elif isinstance(asked, dict):
        fields.update(read_request(asked))
    if not is_absent(answer):
        join_response(fields, read_response(answer))
    _read_entry(entry, fields)
    context.put_account(obj, fields, *_ACCOUNTS)
    return [build(fields)]


_NAMES = {
    "Model": "model",
    "Provider": "provider",
    "Endpoint": "path",
    "StatusCode": "status_code",
    "RequestBody": "request",
    "ResponseBody": "response",
    "Timestamp": "created_at",
    "Datetime": "created_at",
    "request_body": "request",
    "response_body": "response",
}


def _clear(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return None if value.get("type") == "encrypted" or {"iv", "data"} <= set(value) else value


def _read_entry(entry: dict[str, Any], fields: Fields) -> None:
    if model := text_of(entry.get("model")):
        fields["model"] = model
    if provider := text_of(entry.get("provider")):
        fields["provider"] = provider.lower()
    usage = read_usage({name: entry.get(name) for name in ("tokens_in", "tokens_out")}, "tokens")
    drop_empty_usage(usage)
    fields.update(usage)
    when = epoch_s(entry.get("created_at"), "created_at")
    if when is not None:
        fields["event_time_s"] = when
    if (event_id := identity(entry.get("id"))) is not None:
        fields["event_id"] = event_id
    if path := text_of(entry.get("path")):
        fields["endpoint"] = path_of(path)
    put_status(first(entry.get("status_code"), entry.get("status")), fields)
    settle_outcome(fields)
    if flag(entry.get("success")) is False and "error_code" not in fields:
        errors = sequence(entry.get("error"))
        fields["error_code"] = (
            identity(first(mapping(errors[0]).get("code") if errors else None, "error")) or "error"
        )
    if (spent := amount(entry.get("duration"), "duration")) is not None:
        fields["latency_ms"] = spent
    if (cost := amount(entry.get("cost"), "cost")) is not None:
        fields["cost_usd"] = cost


FORMAT = Format("cloudflare_ai_gateway", recognises, decode, EXAMPLE)
