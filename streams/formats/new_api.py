"""new-api, one-api and their fork AI Proxy: consume logs and request details.

`quota` is no price; `use_time` is in seconds; `other` is JSON text; group or user is the account.
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
from streams.formats.values import Fields, amount, first, flag, identity, mapping, text_of
from streams.record import ApiRequest

EXAMPLE = (
    b'{"id":41,"channel":3,"code":200,"request_at":"2026-03-01T08:00:00.500Z","endpoint":'
    b'"/v1/chat/completions","group":"acct_9","model":"m-small","token_id":2,"token_name":"main",'
    b'"request_detail":{"request_body":"{\\"model\\":\\"m-small\\",\\"messages\\":[{\\"role\\":'
    b'\\"user\\",\\"content\\":\\"Name a bird.\\"}]}","request_body_truncated":false},'
    b'"usage":{"input_tokens":11,"output_tokens":3}}'
)

_CONSUME = 2
_ERROR = 5


def recognises(obj: Any) -> bool:
    """A token's name or id beside a channel, with a model."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    return (
        isinstance(obj, dict)
        and ("token_name" in obj or "token_id" in obj)
        and ("channel" in obj or "channel_id" in obj or "quota" in obj)
        and ("model" in obj or "model_name" in obj)
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a consume or error log; top-ups and system notes give none."""
    if isinstance(obj, list):
        return [request for entry in obj for request in decode(entry, context)]
    kind = obj.get("type")
    if "quota" in obj and isinstance(kind, int) and kind not in (0, _CONSUME, _ERROR):
        return []
    fields: Fields = {"source": "new_api"}
    detail = mapping(obj.get("request_detail"))
    body, answer = detail.get("request_body"), detail.get("response_body")
    if isinstance(body, str) and body:
        parsed, cut = body_of_text(body)
        fields.update(read_request(parsed or {}))
        if cut:
            fields["truncated"] = True
    if isinstance(answer, str) and answer:
        join_response(fields, read_response(answer))
    if flag(detail.get("request_body_truncated")) or flag(detail.get("response_body_truncated")):
        fields["truncated"] = True
    usage = read_usage(first(obj.get("usage"), obj), "usage")
    other = mapping(obj.get("other"))
    usage.update(
        {
            name: value
            for name, value in read_usage(
                {"cached_tokens": other.get("cache_tokens")}, "other"
            ).items()
            if name not in usage
        }
    )
    drop_empty_usage(usage)
    fields.update(usage)
    _read_envelope(obj, other, fields)
    context.put_account(obj, fields, "group", "user_id", "username", "token_id")
    return [build(fields)]


def _read_envelope(obj: dict[str, Any], other: dict[str, Any], fields: Fields) -> None:
    if model := text_of(first(obj.get("model"), obj.get("model_name"))):
        fields["model"] = model
    when = epoch_s(first(obj.get("request_at"), obj.get("created_at")), "created_at")
    if when is not None:
        fields["event_time_s"] = when
    if (event_id := identity(first(obj.get("request_id"), obj.get("id")))) is not None:
        fields["event_id"] = event_id
    if (key := identity(first(obj.get("token_id"), obj.get("token_name")))) is not None:
        fields["key"] = key
    if (user := identity(obj.get("user"))) is not None:
        fields["end_user"] = user
    if address := text_of(obj.get("ip")):
        fields["client_ip"] = address
    if path := text_of(first(obj.get("endpoint"), other.get("request_path"))):
        fields["endpoint"] = path_of(path)
    if (streamed := flag(obj.get("is_stream"))) is not None:
        fields["stream"] = streamed
    put_status(first(obj.get("code"), other.get("status_code")), fields)
    if obj.get("type") == _ERROR and "quota" in obj:
        fields.setdefault("error_code", identity(other.get("error_code")) or "error")
    settle_outcome(fields)
    if (spent := amount(obj.get("use_time"), "use_time")) is not None:
        fields["latency_ms"] = spent * 1000.0
    ttft = amount(first(obj.get("ttfb_milliseconds"), other.get("frt")), "ttfb_milliseconds")
    if ttft is not None:
        fields["ttft_ms"] = ttft


FORMAT = Format("new_api", recognises, decode, EXAMPLE)
