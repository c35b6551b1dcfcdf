"""Message lists of every shape, read to `Message` entries of role and text.

A user entry that holds tool results becomes an entry of role `tool`; text beside the results
becomes a user entry after it. `n_messages` counts the log's own list.
"""

from __future__ import annotations

import re
from typing import Any

from streams.formats.chat_template import templated_turns
from streams.formats.content import content_text, loose_text, result_text
from streams.formats.values import json_in
from streams.record import Message

_ROLES = {
    "human": "user",
    "model": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "function": "tool",
    "tool_result": "tool",
    "toolresult": "tool",
    "humanmessage": "user",
    "aimessage": "assistant",
    "systemmessage": "system",
    "toolmessage": "tool",
    "functionmessage": "tool",
    "aimessagechunk": "assistant",
    "humanmessagechunk": "user",
    "chat": "user",
    "generic": "user",
    "prompt": "user",
}

_PLAIN_ROLES = frozenset({"system", "developer", "user", "assistant"})
SYSTEM_ROLES = frozenset({"system", "developer"})


def role_of(raw: object, default: str = "user") -> str:
    """A role in our vocabulary; unknown ones are kept in lower case."""
    if not isinstance(raw, str) or not raw:
        return default
    lowered = raw.rsplit(".", 1)[-1].lower()
    return _ROLES.get(lowered, lowered)


def read_messages(entries: list[Any]) -> list[Message]:
    """The entries of a message list, in order."""
    messages: list[Message] = []
    for entry in entries:
        if isinstance(entry, dict):
            role = entry.get("role")
            content = entry.get("content")
            if (
                type(role) is str
                and type(content) is str
                and (role in _PLAIN_ROLES and content[:1] != "[")
            ):
                messages.append(Message(role, content_text(content)))
            else:
                _read_entry(entry, messages)
        elif isinstance(entry, str):
            messages.append(Message("user", content_text(entry)))
        elif isinstance(entry, list):
            messages.extend(read_messages(entry))
    return messages


def _read_entry(entry: dict[str, Any], messages: list[Message]) -> None:
    if "message.role" in entry or "message.content" in entry:  # OpenInference, dotted keys
        entry = {key.removeprefix("message."): value for key, value in entry.items()}
    inner = entry.get("message")
    if isinstance(inner, dict) and "role" not in entry:
        _read_entry(inner, messages)
        return
    kwargs = entry.get("kwargs")
    if isinstance(kwargs, dict):  # LangChain's serialised messages
        path = entry.get("id")
        kind = path[-1] if isinstance(path, list) and path else kwargs.get("type")
        messages.append(Message(role_of(kind), content_text(kwargs.get("content"))))
        return
    kind = entry.get("type")
    if kind in (
        "function_call_output",
        "custom_tool_call_output",
        "computer_call_output",
        "local_shell_call_output",
        "mcp_call",
    ):
        messages.append(Message("tool", loose_text(entry.get("output"))))
        return
    if "role" not in entry and isinstance(kind, str):
        if kind in (
            "function_call",
            "reasoning",
            "custom_tool_call",
            "computer_call",
            "web_search_call",
            "file_search_call",
            "local_shell_call",
        ):
            messages.append(Message("assistant"))
            return
        if kind == "item_reference":
            return
        if kind in ("input_text", "text"):
            messages.append(Message("user", content_text(entry)))
            return
    role = role_of(
        entry.get("role")
        or (kind if kind != "message" else None)
        or entry.get("from")
        or entry.get("author")
    )
    content = entry.get("content")
    if content is None:
        for name in ("parts", "contents", "text", "value", "message", "prompt"):
            if entry.get(name) is not None:
                content = entry[name]
                break
    if isinstance(content, str) and content[:1] == "[" and '"type"' in content:
        # exporters write the part list as text
        parsed = json_in(content)
        if (
            isinstance(parsed, list)
            and parsed
            and all(isinstance(part, dict) and "type" in part for part in parsed)
        ):
            content = parsed
    results = result_text(content)
    if results is None:
        text = loose_text(content) if role == "tool" else content_text(content)
        messages.append(Message(role, text))
        return
    messages.append(Message("tool", results))
    rest = content_text(content)
    if rest and role != "tool":
        messages.append(Message(role, rest))


_FLAT_TURN = re.compile(r"^(system|developer|user|assistant|human|ai|tool):[ \t]?", re.MULTILINE)
_CLAUDE_TURN = re.compile(r"\n\n(Human|Assistant):[ \t]?")


def read_flat(text: str) -> list[Message]:
    """A conversation written as one text, "user: ...": what OpenLIT puts in its span event.

    A text that does not start with a role is one user message; a role name at the start of a later
    line starts a new entry only if the text started with one, so prose is left alone.
    """
    if not _FLAT_TURN.match(text):
        return [Message("user", content_text(text))]
    pieces = _FLAT_TURN.split(text)[1:]
    return [
        Message(role_of(role), content_text(body.strip("\n")))
        for role, body in zip(pieces[::2], pieces[1::2], strict=True)
    ]


def read_prompt(text: str) -> list[Message]:
    """A completion prompt: a chat template's or old Claude's turns, or one text."""
    templated = templated_turns(text) if text[:24].lstrip()[:1] in ("<", "[") else None
    if templated is not None:
        return [Message(role_of(role), content_text(turn)) for role, turn in templated]
    if not text.lstrip("\n").startswith("Human:"):
        return [Message("user", content_text(text))]
    pieces = _CLAUDE_TURN.split("\n\n" + text.lstrip("\n"))
    messages = [Message("system", pieces[0].strip())] if pieces[0].strip() else []
    for role, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if body.strip() or role == "Human":
            messages.append(Message(role_of(role), body.strip()))
    return messages
