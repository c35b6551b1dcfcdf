"""Envoy AI Gateway's JSON access log: GenAI names as flat keys beside Envoy's own.

The operator chooses the keys (`json_format`); those of the gateway's documentation are read. There
are no prompts. The account is what a header or our own hook put into the line.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build
from streams.formats.exchange import path_of, put_status, settle_outcome
from streams.formats.format import Context, Format
from streams.formats.otel_fields import read_fields
from streams.formats.otel_units import Unit
from streams.formats.times import epoch_s
from streams.formats.values import Fields, amount, first, identity, mapping, text_of
from streams.record import ApiRequest

EXAMPLE = (
    b'{"start_time":"2026-03-01T08:00:00.500Z","method":"POST","x-envoy-origin-path":'
    b'"/v1/chat/completions","response_code":200,"duration":750,"x-request-id":"ev-1",'
    b'"user-agent":"x/1","downstream_remote_address":"192.0.2.20:5311",'
    b'"gen_ai.request.model":"m-small","gen_ai.provider.name":"acme","gen_ai.usage.input_tokens":'
    b'"11","gen_ai.usage.output_tokens":"3","authz":{"account":"acct_9"}}'
)

_ACCOUNTS = (
    "authz.account",
    "account",
    "x-account-id",
    "x-user-id",
    "x-ai-eg-user-id",
    "user_id",
    "x-tenant-id",
)


def recognises(obj: Any) -> bool:
    """GenAI names at the top of the line, where OpenTelemetry has its wrappers."""
    return (
        isinstance(obj, dict)
        and "attributes" not in obj
        and any(isinstance(name, str) and name.startswith("gen_ai.") for name in obj)
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a line."""
    fields: Fields = {"source": "envoy"}
    unit = Unit(
        name="",
        attributes=obj,
        resource={},
        is_log=False,
        start_s=epoch_s(first(obj.get("start_time"), obj.get("timestamp")), "start_time"),
    )
    read_fields(unit, fields)
    put_status(obj.get("response_code"), fields)
    details = text_of(obj.get("response_code_details"))
    if details is not None and details not in ("via_upstream", "direct_response"):
        fields.setdefault("error_code", details)
    settle_outcome(fields)
    if (event_id := identity(obj.get("x-request-id"))) is not None:
        fields["event_id"] = event_id
    if agent := text_of(obj.get("user-agent")):
        fields["user_agent"] = agent
    forwarded = text_of(obj.get("x-forwarded-for"))
    if address := first(
        forwarded and forwarded.split(",")[0].strip(), text_of(obj.get("downstream_remote_address"))
    ):
        fields["client_ip"] = address
    if path := text_of(first(obj.get("x-envoy-origin-path"), obj.get("path"))):
        fields["endpoint"] = path_of(path)
    if (spent := amount(obj.get("duration"), "duration")) is not None:
        fields["latency_ms"] = spent
    context.put_account({**obj, "authz": mapping(obj.get("authz"))}, fields, *_ACCOUNTS)
    return [build(fields)]


FORMAT = Format("envoy", recognises, decode, EXAMPLE)
