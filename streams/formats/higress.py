"""Higress access log with its ai-statistics plugin: `ai_log` is JSON text inside the line.

Token names are in the singular; durations are in milliseconds; the question is the last user turn.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build
from streams.formats.exchange import path_of, put_status, settle_outcome
from streams.formats.format import Context, Format
from streams.formats.request_body import put_messages
from streams.formats.times import epoch_s
from streams.formats.tokens import drop_empty_usage, read_usage
from streams.formats.values import Fields, amount, first, identity, mapping, text_of
from streams.record import ApiRequest

EXAMPLE = (
    b'{"ai_log":"{\\"api\\":\\"acme\\",\\"model\\":\\"m-small\\",\\"consumer\\":\\"acct_9\\",'
    b'\\"input_token\\":\\"11\\",\\"output_token\\":\\"3\\",\\"question\\":\\"Name a bird.\\",'
    b'\\"response_type\\":\\"normal\\"}","start_time":"2026-03-01T08:00:00.500Z","duration":"750",'
    b'"path":"/v1/chat/completions","method":"POST","response_code":"200","request_id":"h-1"}'
)


def recognises(obj: Any) -> bool:
    """The plugin's field in the access log."""
    return isinstance(obj, dict) and isinstance(obj.get("ai_log"), str | dict)


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a line whose `ai_log` says something; "-" and {} are plain HTTP."""
    log = mapping(obj["ai_log"])
    if not log:
        return []
    fields: Fields = {"source": "higress"}
    if model := text_of(log.get("model")):
        fields["model"] = model
    if provider := text_of(log.get("api")):
        fields["provider"] = provider.lower()
    if question := text_of(log.get("question")):
        put_messages(question, fields)
    if answer := text_of(log.get("answer")):
        fields["output_text"], fields["output_chars"] = answer, len(answer)
    fields.update(read_usage(log, "ai_log"))
    drop_empty_usage(fields)
    if kind := text_of(log.get("response_type")):
        fields["stream"] = kind == "stream"
    when = epoch_s(obj.get("start_time"), "start_time")
    if when is not None:
        fields["event_time_s"] = when
    if (event_id := identity(obj.get("request_id"))) is not None:
        fields["event_id"] = event_id
    forwarded = text_of(obj.get("x_forwarded_for"))
    if address := first(
        forwarded and forwarded.split(",")[0].strip(), text_of(obj.get("downstream_remote_address"))
    ):
        fields["client_ip"] = address
    if agent := text_of(obj.get("user_agent")):
        fields["user_agent"] = agent
    if path := text_of(obj.get("path")):
        fields["endpoint"] = path_of(path)
    put_status(obj.get("response_code"), fields)
    settle_outcome(fields)
    spent = amount(first(log.get("llm_service_duration"), obj.get("duration")), "duration")
    if spent is not None:
        fields["latency_ms"] = spent
    ttft = amount(log.get("llm_first_token_duration"), "llm_first_token_duration")
    if ttft is not None:
        fields["ttft_ms"] = ttft
    context.put_account(
        {**obj, "ai_log": log}, fields, "ai_log.consumer", "consumer", "x_mse_consumer"
    )
    return [build(fields)]


FORMAT = Format("higress", recognises, decode, EXAMPLE)
