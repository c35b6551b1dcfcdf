"""Portkey: log export lines and bodies of its insert-a-log endpoint. Cost is in cents."""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import put_models
from streams.formats.exchange import put_status, read_exchange, settle_outcome
from streams.formats.format import Context, Format
from streams.formats.tokens import read_usage
from streams.formats.values import Fields, amount, flag, mapping, text_of
from streams.record import ApiRequest

EXAMPLE = (
    b'{"id":"pk-1","created_at":"2026-03-01 08:00:00","request":{"body":{"model":"m-small",'
    b'"messages":[{"role":"user","content":"Name a bird."}]}},"response":{"body":{"choices":[{'
    b'"finish_reason":"stop","message":{"content":"Wren."}}]}},"is_success":true,"ai_org":"openai",'
    b'"ai_model":"m-small","req_units":11,"res_units":3,"total_units":14,"cost":0.2,'
    b'"cost_currency":"cents","response_status_code":200,"response_time":750,"stream_mode":0,'
    b'"metadata":{"_user":"acct_9"}}'
)

_ACCOUNTS = (
    "metadata._user",
    "metadata.user_id",
    "metadata.user",
    "metadata.customer_id",
    "virtual_key",
)


def recognises(obj: Any) -> bool:
    """The export's own names, or an exchange with Portkey's `response_time` and metadata."""
    if not isinstance(obj, dict) or not isinstance(obj.get("request"), dict):
        return False
    if "ai_org" in obj or "req_units" in obj or "is_proxy_call" in obj:
        return True
    return "response_time" in mapping(obj.get("response")) and "metadata" in obj


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a line."""
    request = read_exchange(obj, context, "portkey", _ACCOUNTS)
    usage = read_usage(
        {"input_tokens": obj.get("req_units"), "output_tokens": obj.get("res_units")}, "units"
    )
    if request.input_tokens is None:
        request.input_tokens = usage.get("input_tokens")
    if request.output_tokens is None:
        request.output_tokens = usage.get("output_tokens")
    if (model := text_of(obj.get("ai_model"))) is not None:
        models: dict[str, str] = {}
        put_models(models, model, None)
        request.model = models["model"]
    if (provider := text_of(obj.get("ai_org"))) is not None:
        request.provider = provider.lower()
    if (cost := amount(obj.get("cost"), "cost")) is not None:
        request.cost_usd = cost / 100.0 if obj.get("cost_currency") in ("cents", None) else cost
    spent = amount(
        obj.get("response_time", mapping(obj.get("response")).get("response_time")), "response_time"
    )
    if spent is not None:
        request.latency_ms = spent
    outcome: Fields = {}
    if request.status is None and put_status(obj.get("response_status_code"), outcome):
        settle_outcome(outcome)
        request.status = outcome["status"]
        request.error_code = request.error_code or outcome.get("error_code")
    if flag(obj.get("is_success")) is False and request.error_code is None:
        request.error_code = "error"
    streamed = flag(obj.get("stream_mode"))
    if request.stream is None and streamed is not None:
        request.stream = streamed
    return [request]


FORMAT = Format("portkey", recognises, decode, EXAMPLE)
