"""OpenRouter generation records (GET /generation), in snake case or the SDK's camel case.

Native token counts are those billed; normalised ones (tokens_prompt) are kept only without them.
"""

from __future__ import annotations

import re
from typing import Any

from streams.formats.assemble import build
from streams.formats.exchange import settle_outcome
from streams.formats.finish import normalised_finish
from streams.formats.format import Context, Format
from streams.formats.times import epoch_s
from streams.formats.tokens import drop_empty_usage
from streams.formats.values import (
    Fields,
    amount,
    count,
    first,
    flag,
    identity,
    text_of,
)
from streams.record import ApiRequest

EXAMPLE = (
    b'{"data":{"id":"gen-1","model":"acme/m-small","provider_name":"Acme","created_at":'
    b'"2026-03-01T08:00:00.500000+00:00","streamed":false,"native_tokens_prompt":11,'
    b'"native_tokens_completion":3,"tokens_prompt":12,"tokens_completion":3,"finish_reason":'
    b'"stop","native_finish_reason":"stop","total_cost":0.0001,"external_user":"acct_9"}}'
)

_UPPER = re.compile(r"(?<=[a-z0-9])([A-Z])")


def recognises(obj: Any) -> bool:
    """Native token counts under either name."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    if not isinstance(obj, dict):
        return False
    inner = obj.get("data", obj)
    if isinstance(inner, list):
        return recognises(inner)
    return isinstance(inner, dict) and any(
        name in inner for name in ("native_tokens_prompt", "nativeTokensPrompt")
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a record."""
    if isinstance(obj, list):
        return [request for entry in obj for request in decode(entry, context)]
    if isinstance(obj.get("data"), list):
        return decode(obj["data"], context)
    inner = obj.get("data") if isinstance(obj.get("data"), dict) else obj
    entry = {_UPPER.sub(r"_\1", name).lower(): value for name, value in inner.items()}
    fields: Fields = {"source": "openrouter"}
    if model := text_of(entry.get("model")):
        fields["model"] = model
    if provider := text_of(entry.get("provider_name")):
        fields["provider"] = provider.lower()
    for target, names in (
        ("input_tokens", ("native_tokens_prompt", "tokens_prompt")),
        ("output_tokens", ("native_tokens_completion", "tokens_completion")),
        ("cached_tokens", ("native_tokens_cached",)),
        ("reasoning_tokens", ("native_tokens_reasoning",)),
    ):
        for name in names:
            if (value := count(entry.get(name), name)) is not None:
                fields[target] = value
                break
    if "cached_tokens" in fields:
        fields["cached_in_input"] = True
    drop_empty_usage(fields)
    reason = text_of(first(entry.get("finish_reason"), entry.get("native_finish_reason")))
    if reason is not None:
        fields["finish_reason_raw"], fields["finish_reason"] = reason, normalised_finish(reason)
    _read_rest(entry, fields)
    context.put_account(
        obj,
        fields,
        "data.external_user",
        "data.externalUser",
        "external_user",
        "externalUser",
        "data.app_id",
        "data.appId",
        "app_id",
    )
    return [build(fields)]


def _read_rest(entry: dict[str, Any], fields: Fields) -> None:
    when = epoch_s(entry.get("created_at"), "created_at")
    if when is not None:
        fields["event_time_s"] = when
    if (event_id := identity(entry.get("id"))) is not None:
        fields["event_id"] = event_id
    if (streamed := flag(entry.get("streamed"))) is not None:
        fields["stream"] = streamed
    if agent := text_of(entry.get("user_agent")):
        fields["user_agent"] = agent
    for name, target in (
        ("generation_time", "latency_ms"),
        ("latency", "ttft_ms"),
        ("total_cost", "cost_usd"),
    ):
        if (value := amount(entry.get(name), name)) is not None:
            fields[target] = value
    if flag(entry.get("cancelled")) is True:
        fields["error_code"] = "cancelled"
    settle_outcome(fields)


FORMAT = Format("openrouter", recognises, decode, EXAMPLE)
