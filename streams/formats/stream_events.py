"""Events of a streamed answer, folded to fields of `ApiRequest`.

Usage is the maximum per field over all events: the first may hold the input and the last a 0,
or the other way round, and the first event's output count is a stub.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from streams.formats.base64_text import decoded_bytes
from streams.formats.content import content_text
from streams.formats.errors_in import read_error
from streams.formats.tokens import merge_usage, read_usage
from streams.formats.values import Fields, text_of


def read_events(events: list[dict[str, Any]]) -> Fields:
    """The fields that a list of stream events gives, of any provider."""
    fields: Fields = {}
    texts: list[str] = []
    for event in events:
        _read_event(event, fields, texts)
    if texts:
        fields["output_text"] = "".join(texts)
    return fields


def _read_event(event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    inner = _chunk_of(event)
    if inner is not None:
        event = inner
    metrics = event.get("amazon-bedrock-invocationMetrics")
    if isinstance(metrics, dict):
        merge_usage(fields, read_usage(metrics, "amazon-bedrock-invocationMetrics"))
    kind = event.get("type")
    if isinstance(kind, str) and kind.startswith("response."):
        _read_responses(kind, event, fields, texts)
    elif isinstance(kind, str) and kind in _ANTHROPIC:
        _ANTHROPIC[kind](event, fields, texts)
    elif kind == "error" or (event.get("error") and not isinstance(event.get("error"), bool)):
        read_error(event.get("error", event), fields)
        _read_chunk(event, fields, texts)
    elif isinstance(event.get("choices"), list):
        _read_chunk(event, fields, texts)
    elif any(name in event for name in _CONVERSE):
        _read_converse(event, fields, texts)
    else:
        _read_other(event, fields, texts)


def _chunk_of(event: dict[str, Any]) -> dict[str, Any] | None:
    """Bedrock's raw stream wraps each event as base64: {"chunk": {"bytes": ...}}."""
    chunk = event.get("chunk")
    data = chunk.get("bytes") if isinstance(chunk, dict) else event.get("bytes")
    if not isinstance(data, str):
        return None
    try:
        parsed = msgspec.json.decode(decoded_bytes(data) or b"")
    except (msgspec.DecodeError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _read_chunk(event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    if isinstance(model := event.get("model"), str) and model:
        fields.setdefault("model", model)
    if isinstance(identifier := event.get("id"), str):
        fields.setdefault("response_id", identifier)
    merge_usage(fields, read_usage(event.get("usage")))
    merge_usage(
        fields,
        read_usage(
            event.get("x_groq", {}).get("usage") if isinstance(event.get("x_groq"), dict) else None
        ),
    )
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else []:
        if not isinstance(choice, dict):
            continue
        delta = choice.get("delta") or choice.get("message")
        text = content_text(delta) if delta is not None else content_text(choice.get("text"))
        if text:
            texts.append(text)
        _finish(choice.get("finish_reason"), fields)
        if choice.get("error"):
            read_error(choice["error"], fields)


def _read_responses(kind: str, event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    if kind == "response.output_text.delta":
        if isinstance(delta := event.get("delta"), str):
            texts.append(delta)
        return
    if kind.startswith("response.refusal"):
        fields.setdefault("refusal_category", "refusal")
        return
    response = event.get("response")
    if not isinstance(response, dict):
        return
    if isinstance(model := response.get("model"), str):
        fields.setdefault("model", model)
    if isinstance(identifier := response.get("id"), str):
        fields.setdefault("response_id", identifier)
    merge_usage(fields, read_usage(response.get("usage")))
    if kind in ("response.completed", "response.incomplete", "response.failed"):
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        status = response.get("status") or kind.removeprefix("response.")
        fields["finish_reason_raw"] = reason if isinstance(reason, str) else status
        if not texts:
            items = response.get("output")
            texts += [
                content_text(item.get("content"))
                for item in (items if isinstance(items, list) else [])
                if isinstance(item, dict) and item.get("type") == "message"
            ]
        if response.get("error"):
            read_error(response["error"], fields)


def _message_start(event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    message = event.get("message")
    if isinstance(message, dict):
        if isinstance(model := message.get("model"), str):
            fields.setdefault("model", model)
        if isinstance(identifier := message.get("id"), str):
            fields.setdefault("response_id", identifier)
        usage = read_usage(message.get("usage"))
        if usage.get("output_tokens", 2) <= 1:
            usage.pop("output_tokens", None)  # a stub, not a count
        merge_usage(fields, usage)
        _finish(message.get("stop_reason"), fields)


def _block_start(event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    block = event.get("content_block")
    if isinstance(block, dict):
        if block.get("type") == "fallback":
            fields["fallback_block"] = block
        elif text := content_text(block):
            texts.append(text)


def _block_delta(event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    delta = event.get("delta")
    if isinstance(delta, dict) and isinstance(text := delta.get("text"), str):
        texts.append(text)


def _message_delta(event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    delta = event.get("delta")
    if isinstance(delta, dict):
        _finish(delta.get("stop_reason"), fields)
        details = delta.get("stop_details")
        if isinstance(details, dict) and (category := text_of(details.get("category"))):
            fields["refusal_category"] = category
    merge_usage(fields, read_usage(event.get("usage")))


def _nothing(event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    """Pings and ends of blocks say nothing."""


_ANTHROPIC: dict[str, Callable[[dict[str, Any], Fields, list[str]], None]] = {
    "message_start": _message_start,
    "content_block_start": _block_start,
    "content_block_delta": _block_delta,
    "message_delta": _message_delta,
    "content_block_stop": _nothing,
    "message_stop": _nothing,
    "ping": _nothing,
}
_CONVERSE = (
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
)


def _read_converse(event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    delta = event.get("contentBlockDelta")
    inner = delta.get("delta") if isinstance(delta, dict) else None
    if isinstance(inner, dict) and isinstance(text := inner.get("text"), str):
        texts.append(text)
    stop = event.get("messageStop")
    if isinstance(stop, dict):
        _finish(stop.get("stopReason"), fields)
    metadata = event.get("metadata")
    if isinstance(metadata, dict):
        merge_usage(fields, read_usage(metadata.get("usage")))


def _read_other(event: dict[str, Any], fields: Fields, texts: list[str]) -> None:
    """Gemini chunks, Ollama lines, Titan and Cohere chunks."""
    for name in ("model", "modelVersion"):
        if isinstance(model := event.get(name), str):
            fields.setdefault("model", model)
    merge_usage(fields, read_usage(event.get("usageMetadata")))
    merge_usage(fields, read_usage(event.get("usage")))
    merge_usage(
        fields,
        read_usage(
            {
                name: event[name]
                for name in (
                    "prompt_eval_count",
                    "eval_count",
                    "prompt_token_count",
                    "generation_token_count",
                )
                if name in event
            }
        ),
    )
    candidates = event.get("candidates")
    for candidate in candidates if isinstance(candidates, list) else []:
        if isinstance(candidate, dict):
            if text := content_text(candidate.get("content")):
                texts.append(text)
            _finish(candidate.get("finishReason"), fields)
    for name in ("message", "response", "generation", "completion", "outputText", "token"):
        if (value := event.get(name)) is not None and (text := content_text(value)):
            texts.append(text)
            break
    for name in ("done_reason", "stop_reason", "finish_reason", "completionReason", "stopReason"):
        _finish(event.get(name), fields)


def _finish(value: object, fields: Fields) -> None:
    """The last reason of a stream is the answer's; null in the chunks before it."""
    if isinstance(value, str) and value:
        fields["finish_reason_raw"] = value
