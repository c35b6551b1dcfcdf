"""The body of a model's answer, in any provider's shape, read to fields of `ApiRequest`.

Whole answers and streams (event lists, server-sent events, JSON lines) of OpenAI chat,
completions and Responses, Anthropic, Bedrock Converse and native models, Gemini, Ollama, TGI.
"""

from __future__ import annotations

import re
from typing import Any

from streams.formats.content import content_text
from streams.formats.cut_json import read_cut
from streams.formats.errors_in import read_error
from streams.formats.finish import normalised_finish
from streams.formats.python_text import read_python
from streams.formats.sse import looks_streamed, read_stream
from streams.formats.stream_events import read_events
from streams.formats.tokens import drop_empty_usage, merge_usage, read_usage
from streams.formats.values import Fields, count, first, json_in, text_of

HTML = "html_body"
"""Error code of an answer that is a web page (a proxy's error page)."""
_REPR = re.compile(r"[{\[]\s*'|[A-Z]\w*\(\w+=")


def read_response(body: object) -> Fields:
    """The fields that an answer gives; absent ones are left out.

    `model` is the model that answered, `truncated` is set when a transcript was cut,
    `stream` when the answer was streamed.
    """
    fields = _read_any(body)
    if isinstance(block := fields.pop("fallback_block", None), dict):
        read_fallback({"content": [block]}, fields)
    if "finish_reason_raw" in fields:
        fields["finish_reason"] = normalised_finish(fields["finish_reason_raw"])
    text = fields.get("output_text")
    if text is not None:
        fields["output_chars"] = len(text)
    drop_empty_usage(fields)
    return fields


def _read_any(body: object) -> Fields:
    if isinstance(body, str):
        return _read_text(body)
    if isinstance(body, list):
        events = [event for event in body if isinstance(event, dict)]
        if len(events) == 1 and not _is_event(events[0]):
            return _read_whole(events[0])
        return _streamed(read_events(events))
    if isinstance(body, dict):
        return _read_whole(body)
    return {}


def _is_event(event: dict[str, Any]) -> bool:
    kind = event.get("type")
    return (
        event.get("object") == "chat.completion.chunk"
        or (isinstance(kind, str) and ("_" in kind or "." in kind) and kind != "message")
        or any(name in event for name in ("messageStart", "contentBlockDelta", "chunk"))
    )


def _streamed(fields: Fields) -> Fields:
    fields.setdefault("stream", True)
    return fields


def _read_text(text: str) -> Fields:
    if looks_streamed(text):
        events, cut = read_stream(text)
        fields = _streamed(read_events(events))
        if cut:
            fields["truncated"] = True
        return fields
    parsed = json_in(text)
    if parsed is not None:
        return _read_any(parsed)
    stripped = text.strip()
    if stripped.startswith("{") and "\n" in stripped:
        events, cut = read_stream(text)
        if len(events) > 1:
            fields = _streamed(read_events(events))
            if cut:
                fields["truncated"] = True
            return fields
    literal = read_python(stripped) if _REPR.match(stripped) else None
    if isinstance(literal, dict):
        return _read_whole(literal)
    if stripped.startswith(("{", "[")):
        cut_body = read_cut(stripped)
        return {**(_read_any(cut_body) if isinstance(cut_body, dict) else {}), "truncated": True}
    if stripped.lower().startswith(("<html", "<!doctype")):
        return {"error_code": HTML}
    return {"output_text": text} if stripped else {}


def _read_whole(body: dict[str, Any]) -> Fields:
    kind = body.get("type")
    if kind == "error" or (body.get("error") and not isinstance(body.get("error"), bool)):
        fields = _read_answer(body) if ("choices" in body or "output" in body) else {}
        read_error(body.get("error", body), fields)
        return fields
    return _read_answer(body)


def _read_answer(body: dict[str, Any]) -> Fields:
    fields: Fields = {}
    model = first(body.get("model"), body.get("modelVersion"), body.get("modelId"))
    if isinstance(model, str):
        fields["model"] = model
    if isinstance(identifier := first(body.get("id"), body.get("responseId")), str):
        fields["response_id"] = identifier
    merge_usage(
        fields,
        read_usage(first(body.get("usage"), body.get("usageMetadata"), body.get("usage_metadata"))),
    )
    if isinstance(body.get("choices"), list):
        _read_choices(body["choices"], fields)
    elif isinstance(body.get("candidates"), list) or "promptFeedback" in body:
        _read_candidates(body, fields)
    elif isinstance(body.get("output"), list):
        _read_responses_output(body, fields)
    elif isinstance(body.get("output"), dict) and "message" in body["output"]:
        _put(fields, "finish_reason_raw", body.get("stopReason"))
        fields["output_text"] = content_text(body["output"]["message"])
    elif isinstance(body.get("content"), list) or "stop_reason" in body:
        _read_anthropic(body, fields)
    elif isinstance(body.get("results"), list):
        _read_titan(body, fields)
    elif "generated_text" in body:
        fields["output_text"] = content_text(body["generated_text"])
        details = body.get("details")
        if isinstance(details, dict):
            _put(fields, "finish_reason_raw", details.get("finish_reason"))
            merge_usage(fields, read_usage(details, "details"))
    elif isinstance(body.get("generations"), list):
        _read_generations(body["generations"], fields)
    else:
        _read_plain(body, fields)
    return fields


def _read_choices(choices: list[Any], fields: Fields) -> None:
    texts: list[str] = []
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        message = first(choice.get("message"), choice.get("delta"))
        texts.append(
            content_text(message) if isinstance(message, dict) else content_text(choice.get("text"))
        )
        _put(fields, "finish_reason_raw", choice.get("finish_reason"))
        if isinstance(message, dict) and message.get("refusal"):
            fields.setdefault("refusal_category", "refusal")
        if choice.get("error"):
            read_error(choice["error"], fields)
    if choices:
        fields["output_text"] = "\n".join(text for text in texts if text)


def _read_responses_output(body: dict[str, Any], fields: Fields) -> None:
    items = [item for item in body["output"] if isinstance(item, dict)]
    texts = [content_text(item.get("content")) for item in items if item.get("type") == "message"]
    fields["output_text"] = "\n".join(text for text in texts if text)
    details = body.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    _put(fields, "finish_reason_raw", reason if isinstance(reason, str) else body.get("status"))
    for item in items:
        parts = item.get("content")
        if isinstance(parts, list) and any(
            isinstance(part, dict) and part.get("type") == "refusal" for part in parts
        ):
            fields.setdefault("refusal_category", "refusal")


def _read_candidates(body: dict[str, Any], fields: Fields) -> None:
    texts: list[str] = []
    for candidate in body.get("candidates") or []:
        if isinstance(candidate, dict):
            texts.append(content_text(candidate.get("content")))
            _put(
                fields,
                "finish_reason_raw",
                candidate.get("finishReason", candidate.get("finish_reason")),
            )
    if texts:
        fields["output_text"] = "\n".join(text for text in texts if text)
    feedback = body.get("promptFeedback")
    if isinstance(feedback, dict) and isinstance(reason := feedback.get("blockReason"), str):
        fields.setdefault("refusal_category", reason)
        fields.setdefault("error_code", reason)


def _read_anthropic(body: dict[str, Any], fields: Fields) -> None:
    if "content" in body:
        fields["output_text"] = content_text(body.get("content"))
    _put(fields, "finish_reason_raw", body.get("stop_reason"))
    read_stop_details(body.get("stop_details"), fields)
    read_fallback(body, fields)
    if "generation" in body:  # Llama on Bedrock
        fields["output_text"] = content_text(body["generation"])
        merge_usage(fields, read_usage(body))
    if "completion" in body:  # old Claude
        fields["output_text"] = content_text(body["completion"])


def read_stop_details(details: object, fields: Fields) -> None:
    """Anthropic's refusal category, whatever its name; null categories stay absent."""
    if isinstance(details, dict) and (category := text_of(details.get("category"))):
        fields["refusal_category"] = category


def read_fallback(body: dict[str, Any], fields: Fields) -> None:
    """A refused first attempt that another model answered: keeps the category of the refusal."""
    blocks = body.get("content")
    for block in blocks if isinstance(blocks, list) else []:
        if isinstance(block, dict) and block.get("type") == "fallback":
            for name in ("stop_details", "details", "refusal"):
                read_stop_details(block.get(name), fields)
            read_stop_details(block, fields)
            asked = block.get("original_model") or block.get("from_model")
            from_object = block.get("from")
            if isinstance(from_object, dict):
                asked = asked or from_object.get("model")
            if isinstance(asked, str):
                fields["asked_model"] = asked


def _read_titan(body: dict[str, Any], fields: Fields) -> None:
    results = [entry for entry in body["results"] if isinstance(entry, dict)]
    fields["output_text"] = "\n".join(content_text(entry.get("outputText")) for entry in results)
    merge_usage(fields, read_usage({"inputTokenCount": body.get("inputTextTokenCount")}, "output"))
    for entry in results:
        _put(fields, "finish_reason_raw", entry.get("completionReason"))
        tokens = count(entry.get("tokenCount"), "results.tokenCount")
        if tokens is not None:
            fields["output_tokens"] = fields.get("output_tokens", 0) + tokens


def _read_generations(generations: list[Any], fields: Fields) -> None:
    entries = [entry for entry in generations if isinstance(entry, dict)]
    fields["output_text"] = "\n".join(content_text(entry.get("text")) for entry in entries)
    for entry in entries:
        _put(fields, "finish_reason_raw", entry.get("finish_reason"))


def _read_plain(body: dict[str, Any], fields: Fields) -> None:
    """Ollama, Cohere, Llama, old Claude, and gateways with shapes of their own."""
    for name in (
        "message",
        "generation",
        "completion",
        "response",
        "text",
        "answer",
        "content",
        "output_text",
        "output",
    ):
        if (value := body.get(name)) is not None and (text := content_text(value)):
            fields["output_text"] = text
            break
    _put(
        fields,
        "finish_reason_raw",
        first(
            body.get("done_reason"),
            body.get("finish_reason"),
            body.get("stop_reason"),
            body.get("stopReason"),
        ),
    )
    merge_usage(
        fields,
        read_usage(
            {
                name: body[name]
                for name in (
                    "prompt_eval_count",
                    "eval_count",
                    "prompt_token_count",
                    "generation_token_count",
                )
                if name in body
            }
        ),
    )


def _put(fields: Fields, name: str, value: object) -> None:
    """Keeps the first text: the first choice's reason stands for the answer."""
    if isinstance(value, str) and value and name not in fields:
        fields[name] = value
