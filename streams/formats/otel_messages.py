"""The conversation of a span or log record: messages, system prompt, answer, finish reason.

Sources in order: current GenAI attributes, span events, indexed attributes (gen_ai.prompt.N),
OpenInference, Vercel AI SDK, Google ADK, and single texts.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import join_response
from streams.formats.content import content_text
from streams.formats.cut_json import read_cut
from streams.formats.messages import read_flat
from streams.formats.otel_units import Event, Unit
from streams.formats.params import read_params, read_tools
from streams.formats.request_body import looks_like_request, put_messages, read_request
from streams.formats.response_body import read_response
from streams.formats.values import Fields, first, is_absent, json_in, mapping, text_of

MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
CHOICE = "gen_ai.choice"


def read_conversation(unit: Unit, fields: Fields) -> None:
    """Adds messages, system, output text and finish reason, from wherever they are."""
    attributes = unit.attributes
    _current(attributes, fields)
    for event in unit.events:
        _current(event.attributes, fields)
    read_message_events(unit.events, fields)
    if "messages" not in fields:
        _indexed(attributes, fields)
    if "messages" not in fields:
        _open_inference(attributes, fields)
    _vercel(attributes, fields)
    _bodies(attributes, fields)
    if "messages" not in fields:
        _texts(unit, fields)
    _answers(attributes, fields)


def _parsed(value: object, fields: Fields | None = None) -> object:
    """JSON in a text attribute; one that an attribute limit cut is read as far as it goes."""
    if isinstance(value, str):
        inner = json_in(value)
        if inner is None and fields is not None and value.startswith(("[{", '{"')):
            inner = read_cut(value)
            if inner is not None:
                fields["truncated"] = True
        return value if inner is None else inner
    return value


def _current(attributes: dict[str, Any], fields: Fields) -> None:
    for name in ("gen_ai.input.messages", "gen_ai.request.messages"):
        found = _parsed(attributes.get(name), fields)
        if isinstance(found, dict):
            found = found.get("messages", [found])
        if not is_absent(found) and "messages" not in fields:
            put_messages(found, fields)
    for name in (
        "gen_ai.system_instructions",
        "gen_ai.request.instructions",
        "gen_ai.system.prompt",
    ):
        system = content_text(_parsed(attributes.get(name)))
        if system and "system" not in fields:
            fields["system"] = system
    output = _parsed(attributes.get("gen_ai.output.messages"))
    if isinstance(output, dict):
        output = [output]
    if isinstance(output, list) and output:
        fields.setdefault(
            "output_text", "\n".join(text for entry in output if (text := _entry_text(entry)))
        )
        for entry in output:
            if isinstance(entry, dict) and isinstance(entry.get("finish_reason"), str):
                fields.setdefault("finish_reason_raw", entry["finish_reason"])


def _entry_text(entry: object) -> str:
    if isinstance(entry, dict):
        return content_text(
            first(entry.get("content"), entry.get("parts"), entry.get("message"), entry.get("text"))
        )
    return content_text(entry)


def read_message_events(events: list[Event], fields: Fields) -> None:
    """Message events on a span, or as log records: one event a message, the choice last."""
    entries: list[Any] = []
    for event in events:
        if event.name in MESSAGE_EVENTS:
            content = _event_content(event)
            if isinstance(content, dict):
                entries.append({"role": MESSAGE_EVENTS[event.name], **content})
            else:
                entries.append({"role": MESSAGE_EVENTS[event.name], "content": content})
        elif event.name == CHOICE:
            choice = mapping(_event_content(event))
            reason = first(choice.get("finish_reason"), event.attributes.get("finish_reason"))
            if isinstance(reason, str):
                fields.setdefault("finish_reason_raw", reason)
            message = first(choice.get("message"), choice.get("content"))
            text = content_text(_parsed(message))
            if text or message is not None:
                fields.setdefault("output_text", text)
        elif event.name == "gen_ai.content.prompt":
            prompt = event.attributes.get("gen_ai.prompt")
            if "messages" not in fields and isinstance(prompt, str) and prompt:
                _prompt_text(prompt, fields)
        elif event.name == "gen_ai.content.completion":
            _completion_text(event.attributes.get("gen_ai.completion"), fields)
    if entries and "messages" not in fields:
        put_messages(entries, fields)


def _event_content(event: Event) -> object:
    content = _parsed(first(event.attributes.get("gen_ai.event.content"), event.body))
    if content is None:
        keys = ("content", "role", "message", "finish_reason", "index", "tool_calls", "id")
        content = {
            name: _parsed(event.attributes[name]) if name == "message" else event.attributes[name]
            for name in keys
            if name in event.attributes
        }
    return content


def _prompt_text(prompt: str, fields: Fields) -> None:
    parsed = json_in(prompt)
    if isinstance(parsed, list):
        put_messages(parsed, fields)
    elif isinstance(parsed, dict) and looks_like_request(parsed):
        for name, value in read_request(parsed).items():
            fields.setdefault(name, value)
    else:
        fields["messages"] = read_flat(prompt)
        fields["n_messages"] = len(fields["messages"])


def _completion_text(completion: object, fields: Fields) -> None:
    parsed = _parsed(completion)
    if isinstance(parsed, list):
        text = "\n".join(t for entry in parsed if (t := _entry_text(entry)))
    else:
        text = content_text(parsed)
    if text:
        fields.setdefault("output_text", text)


def indexed(attributes: dict[str, Any], prefix: str) -> list[dict[str, Any]]:
    """The entries of `prefix.N.rest` attributes in numeric order, each by the rest of its keys."""
    entries: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        if name.startswith(prefix):
            number, _, rest = name[len(prefix) :].partition(".")
            if number.isdigit() and len(number) < 7:
                entries.setdefault(int(number), {})[rest] = value
    return [entries[number] for number in sorted(entries)]


def _indexed(attributes: dict[str, Any], fields: Fields) -> None:
    entries = indexed(attributes, "gen_ai.prompt.") or indexed(attributes, "llm.prompts.")
    if entries:
        put_messages(
            [
                {
                    "role": entry.get("role", entry.get("user")),
                    "content": entry.get("content", entry.get("user")),
                }
                for entry in entries
            ],
            fields,
        )


def _open_inference(attributes: dict[str, Any], fields: Fields) -> None:
    whole = _parsed(attributes.get("llm.input_messages"))
    if isinstance(whole, list) and whole:
        put_messages(whole, fields)
        return
    entries = indexed(attributes, "llm.input_messages.")
    if entries:
        put_messages([_flattened(entry) for entry in entries], fields)


def _flattened(entry: dict[str, Any]) -> dict[str, Any]:
    content = entry.get("message.content")
    if content is None:
        parts = indexed(entry, "message.contents.")
        content = [
            {
                "type": part.get("message_content.type", "text"),
                "text": part.get("message_content.text", ""),
            }
            for part in parts
        ]
    return {"role": entry.get("message.role"), "content": content}


def _vercel(attributes: dict[str, Any], fields: Fields) -> None:
    if "messages" not in fields:
        found = _parsed(attributes.get("ai.prompt.messages"), fields)
        if isinstance(found, list) and found:
            put_messages(found, fields)
    prompt = attributes.get("ai.prompt")
    if isinstance(prompt, str) and prompt:
        opened = _parsed(prompt, fields)
        parsed = opened if isinstance(opened, dict) else {}
        if "messages" not in fields:
            entries = first(parsed.get("messages"), parsed.get("prompt"))
            put_messages(
                entries if entries is not None else (prompt if not parsed else None), fields
            )
        system = content_text(parsed.get("system"))
        if system and "system" not in fields:
            fields["system"] = system
    if text := text_of(
        first(
            attributes.get("ai.response.text"),
            attributes.get("ai.result.text"),
            attributes.get("ai.response.object"),
        )
    ):
        fields.setdefault("output_text", text)


_REQUESTS = (
    "gcp.vertex.agent.llm_request",
    "gen_ai.prompt_json",
    "gen_ai.request.body",
    "http.request.body",
    "llm.request.body",
    "langfuse.observation.input",
    "gen_ai.input",
    "request_text",
    "request",
)
_ANSWERS = (
    "gcp.vertex.agent.llm_response",
    "gen_ai.completion_json",
    "gen_ai.response.body",
    "http.response.body",
    "llm.response.body",
    "response_text",
    "response",
)


def _bodies(attributes: dict[str, Any], fields: Fields) -> None:
    """Whole bodies as JSON text in one attribute."""
    for name in _REQUESTS:
        parsed = _parsed(attributes.get(name), fields)
        if isinstance(parsed, list) and "messages" not in fields and parsed:
            put_messages(parsed, fields)
        elif isinstance(parsed, dict):
            for key, value in read_request(parsed).items():
                fields.setdefault(key, value)
            config = mapping(parsed.get("config"))
            read_params(config, fields)
            if "tools" not in fields:
                read_tools(config, fields)
    for name in _ANSWERS:
        parsed = _parsed(attributes.get(name))
        if isinstance(parsed, dict | list) and parsed:
            if (
                isinstance(parsed, dict)
                and "content" in parsed
                and "candidates" not in parsed
                and (
                    "usage_metadata" in parsed
                    or "finish_reason" in parsed
                    or isinstance(parsed["content"], dict)
                )
            ):
                parsed = {
                    "candidates": [
                        {
                            "content": parsed.get("content"),
                            "finishReason": parsed.get("finish_reason"),
                        }
                    ],
                    "usageMetadata": parsed.get("usage_metadata"),
                    "error": parsed.get("error_code"),
                }
            join_response(fields, read_response(parsed))


def _texts(unit: Unit, fields: Fields) -> None:
    """Prompts as one text: old OpenLIT and Spring AI attributes, OpenInference's input value."""
    for name in (
        "gen_ai.prompt",
        "gen_ai.content.prompt",
        "llm.prompts",
        "prompt",
        "input.value",
        "traceloop.entity.input",
        "gen_ai.user.message",
    ):
        value = unit.attributes.get(name)
        if isinstance(value, list) and value:
            put_messages(value, fields)
            return
        if isinstance(value, str) and value and not is_absent(value) and value != "<REDACTED>":
            _prompt_text(value, fields)
            if "messages" in fields:
                return


def _answers(attributes: dict[str, Any], fields: Fields) -> None:
    """The answer in indexed, OpenInference or single attributes."""
    for prefix in ("gen_ai.completion.", "llm.completions."):
        entries = indexed(attributes, prefix)
        if entries:
            fields.setdefault(
                "output_text",
                "\n".join(
                    text for entry in entries if (text := content_text(entry.get("content")))
                ),
            )
            for entry in entries:
                if isinstance(reason := entry.get("finish_reason"), str) and reason:
                    fields.setdefault("finish_reason_raw", reason)
    outputs = indexed(attributes, "llm.output_messages.")
    whole = _parsed(attributes.get("llm.output_messages"))
    if outputs:
        fields.setdefault(
            "output_text",
            "\n".join(
                text for entry in outputs if (text := content_text(_flattened(entry)["content"]))
            ),
        )
    elif isinstance(whole, list):
        fields.setdefault(
            "output_text",
            "\n".join(
                text
                for entry in whole
                if isinstance(entry, dict)
                and (
                    text := content_text(first(entry.get("message.content"), entry.get("content")))
                )
            ),
        )
    for name in (
        "gen_ai.completion",
        "gen_ai.content.completion",
        "output.value",
        "gen_ai.response.text",
    ):
        if "output_text" not in fields:
            _completion_text(attributes.get(name), fields)
