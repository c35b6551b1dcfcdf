"""Apache APISIX ai-proxy logs: `llm_summary`, `llm_request`, `llm_response_text`.

Numbers and truth values may be text, since they are nginx variables. `duration` in the summary is
the time to the first token in milliseconds.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build, put_models
from streams.formats.content import content_text
from streams.formats.exchange import path_of, put_status, settle_outcome
from streams.formats.format import Context, Format
from streams.formats.headers import lowered, read_headers
from streams.formats.request_body import read_request
from streams.formats.times import epoch_s
from streams.formats.tokens import drop_empty_usage, read_usage
from streams.formats.values import Fields, amount, count, first, flag, identity, mapping, text_of
from streams.record import ApiRequest

EXAMPLE = (
    b'{"client_ip":"192.0.2.20","start_time":1772352000500,"latency":750.5,"request":{"method":'
    b'"POST","uri":"/chat","headers":{"user-agent":"x/1"}},"response":{"status":200},"consumer":'
    b'{"username":"acct_9"},"llm_summary":{"request_model":"m-small","model":"m-small",'
    b'"prompt_tokens":"11","completion_tokens":"3","stream":"true","duration":"120"},'
    b'"llm_request":{"messages":[{"role":"user","content":"Name a bird."}],"stream":true},'
    b'"llm_response_text":{"content":"Wren."}}'
)

_ACCOUNTS = ("consumer.custom_id", "consumer.username", "consumer_name", "consumer.consumer_name")


def recognises(obj: Any) -> bool:
    """The plugin's own names, or APISIX's envelope without them."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    return isinstance(obj, dict) and (
        "llm_summary" in obj or "llm_request" in obj or "apisix_latency" in obj
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request an entry with an LLM part; other HTTP entries give none."""
    if isinstance(obj, list):
        return [request for entry in obj for request in decode(entry, context)]
    if not isinstance(obj.get("llm_summary"), dict) and not obj.get("llm_request"):
        return []
    return [_read(obj, context)]


def _read(entry: dict[str, Any], context: Context) -> ApiRequest:
    summary, asked = mapping(entry.get("llm_summary")), mapping(entry.get("llm_request"))
    fields: Fields = {"source": "apisix", **read_request(asked)}
    put_models(
        fields,
        text_of(summary.get("request_model")) or fields.get("model"),
        text_of(summary.get("model")),
    )
    usage = read_usage(summary, "llm_summary")
    if "cached_tokens" in usage:
        usage["cached_in_input"] = True  # APISIX keeps OpenAI's accounting in prompt_tokens
    fields.update(usage)
    drop_empty_usage(fields)
    text = content_text(mapping(entry.get("llm_response_text")).get("content"))
    if text:
        fields["output_text"], fields["output_chars"] = text, len(text)
    streamed = flag(summary.get("stream"))
    if streamed is not None:
        fields["stream"] = streamed
    tools = count(summary.get("tool_count"), "llm_summary.tool_count")
    if tools is not None:
        fields.setdefault("tool_count", tools)
    if (user := identity(summary.get("end_user_id"))) is not None:
        fields["end_user"] = user
    if (provider := identity(summary.get("provider"))) is not None:
        fields["provider"] = provider.lower()
    request, response = mapping(entry.get("request")), mapping(entry.get("response"))
    when = epoch_s(first(entry.get("start_time"), entry.get("@timestamp")), "start_time")
    if when is not None:
        fields["event_time_s"] = when
    read_headers(lowered(request.get("headers")), fields)
    if address := text_of(first(entry.get("client_ip"), entry.get("remote_addr"))):
        fields["client_ip"] = address
    if path := text_of(first(request.get("uri"), request.get("url"))):
        fields["endpoint"] = path_of(path)
    put_status(first(response.get("status"), entry.get("status")), fields)
    settle_outcome(fields)
    if (spent := amount(entry.get("latency"), "latency")) is not None:
        fields["latency_ms"] = spent
    if ttft := amount(summary.get("duration"), "llm_summary.duration"):
        fields["ttft_ms"] = ttft
    context.put_account(entry, fields, *_ACCOUNTS)
    return build(fields)


FORMAT = Format("apisix", recognises, decode, EXAMPLE)
