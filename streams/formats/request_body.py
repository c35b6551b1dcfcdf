"""The body of a request to a model, in any provider's shape, read to fields of `ApiRequest`.

The shape is told by what it holds: `messages` (OpenAI chat, Anthropic, Bedrock Converse), `input`
(OpenAI Responses), `prompt` (completions, Llama, old Claude), `contents` (Gemini), `inputText`
(Titan), `inputs` (TGI), `message` with `chat_history` (Cohere).
"""

from __future__ import annotations

from typing import Any

from streams.formats.content import content_text
from streams.formats.messages import read_messages, read_prompt
from streams.formats.params import read_params, read_tools
from streams.formats.values import Fields, identity, mapping, text_of
from streams.record import Message


def read_request(body: dict[str, Any]) -> Fields:
    """The fields that a request body gives; absent ones are left out."""
    fields: Fields = {}
    model = body.get("model", body.get("modelId"))
    if isinstance(model, str) and model:
        fields["model"] = model
    _read_conversation(body, fields)
    system = _system_of(body)
    if system is not None:
        fields["system"] = system
    read_params(body, fields)
    read_tools(body, fields)
    user = identity(body.get("user")) or identity(body.get("safety_identifier"))
    if user is None:
        user = identity(mapping(body.get("metadata")).get("user_id"))
    if user is not None:
        fields["end_user"] = user
    return fields


def looks_like_request(body: object) -> bool:
    """True if the object holds a conversation in one of the shapes above."""
    if not isinstance(body, dict):
        return False
    return (
        isinstance(body.get("messages"), list)
        or isinstance(body.get("prompt"), str | list)
        or isinstance(body.get("contents"), list)
        or isinstance(body.get("inputText"), str)
        or ("model" in body and isinstance(body.get("input"), str | list))
        or ("parameters" in body and isinstance(body.get("inputs"), str))
    )


def put_messages(entries: object, fields: Fields) -> None:
    """Adds a message list (or a bare text) as messages and their number."""
    if isinstance(entries, list):
        fields["messages"] = read_messages(entries)
        fields["n_messages"] = len(entries)
    elif isinstance(entries, str):
        fields["messages"] = [Message("user", content_text(entries))]
        fields["n_messages"] = 1


def _read_conversation(body: dict[str, Any], fields: Fields) -> None:
    messages = body.get("messages")
    if isinstance(messages, list):
        if len(messages) == 1 and isinstance(messages[0], list):  # LangChain batches of one
            messages = messages[0]
        put_messages(messages, fields)
        return
    prompt = body.get("prompt")
    if isinstance(prompt, dict):  # stored prompt of the Responses API: {id, variables}
        prompt = None
    if prompt is not None and "input" not in body:
        _read_prompts(prompt, fields)
        return
    for name in ("input", "contents"):
        if isinstance(body.get(name), str | list):
            put_messages(body[name], fields)
            return
        if isinstance(body.get(name), dict):
            put_messages([body[name]], fields)
            return
    for name in ("inputText", "inputs"):
        if isinstance(body.get(name), str):
            put_messages(body[name], fields)
            return
    if isinstance(body.get("message"), str):
        history = body.get("chat_history")
        entries = list(history) if isinstance(history, list) else []
        put_messages([*entries, {"role": "user", "content": body["message"]}], fields)
        return
    if isinstance(body.get("query"), str):
        put_messages(body["query"], fields)


def _read_prompts(prompt: object, fields: Fields) -> None:
    """Completions: one prompt, a list of prompts in one request, or token ids without text."""
    if isinstance(prompt, str):
        fields["messages"] = read_prompt(prompt)
        fields["n_messages"] = len(fields["messages"])
    elif isinstance(prompt, list) and prompt:
        if all(isinstance(part, int) for part in prompt):
            prompt = [prompt]
        fields["messages"] = [
            Message("user", content_text(part) if isinstance(part, str) else "") for part in prompt
        ]
        fields["n_messages"] = len(prompt)


def _system_of(body: dict[str, Any]) -> str | None:
    """The system prompt given apart from the messages; six names are in use."""
    for name in (
        "system",
        "instructions",
        "systemInstruction",
        "system_instruction",
        "preamble",
        "system_prompt",
    ):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, list) and any(
            isinstance(entry, dict) and "role" in entry for entry in value
        ):
            text = "\n".join(message.text for message in read_messages(value) if message.text)
        else:
            text = content_text(value)
        if text:
            return text
    for name in ("config", "generateContentConfig"):
        nested = body.get(name)
        if isinstance(nested, dict) and (found := _system_of(nested)) is not None:
            return found
    return text_of(mapping(body.get("prompt")).get("system"))
