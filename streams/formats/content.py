"""Message content of every shape, read to plain text.

Text parts are joined by newlines. Images, audio, files, thinking blocks, tool calls and token ids
carry no text; data URLs inside a text are dropped, since they are megabytes of picture.
"""

from __future__ import annotations

import re
from typing import Any

_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*;base64,[A-Za-z0-9+/=_\s-]{64,}")

SKIPPED = frozenset(
    {
        "image",
        "image_url",
        "input_image",
        "audio",
        "input_audio",
        "file",
        "input_file",
        "video",
        "thinking",
        "redacted_thinking",
        "reasoning",
        "tool_use",
        "tool_call",
        "tool-call",
        "toolUse",
        "function_call",
        "server_tool_use",
        "item_reference",
        "blob",
        "uri",
    }
)
"""Part types without text of the conversation."""
RESULTS = frozenset(
    {
        "tool_result",
        "tool-result",
        "tool_call_response",
        "function_call_output",
        "toolResult",
        "web_search_tool_result",
        "mcp_tool_result",
    }
)
"""Part types that hold what a tool answered."""

REDACTED = frozenset(
    {
        "redacted-by-litellm",
        "<redacted>",
        "[redacted]",
        "redacted",
        "***redacted***",
        "[content redacted]",
        "<redacted by user>",
        "[filtered]",
        "__redacted__",
        "<elided>",
    }
)
"""What loggers write in the place of text: no text, and above all no shared template."""

_DEEPEST = 12
"""Content nested deeper than this is not content."""


def content_text(content: object, depth: int = 0) -> str:
    """All text of a content value (a text, parts, nested objects), without tool results."""
    if isinstance(content, str):
        if len(content) < 24 and content.strip().lower() in REDACTED:
            return ""
        if ";base64," in content:
            return _DATA_URL.sub("", content)
        return content
    if depth > _DEEPEST or content is None:
        return ""
    if isinstance(content, list):
        texts = [content_text(part, depth + 1) for part in content]
        return "\n".join(text for text in texts if text)
    if isinstance(content, dict):
        return _part_text(content, depth)
    return ""


def _part_text(part: dict[str, Any], depth: int) -> str:
    kind = part.get("type")
    if isinstance(kind, str) and (kind in SKIPPED or kind in RESULTS):
        return ""
    if "toolResult" in part or "functionResponse" in part:
        return ""
    if part.get("thought") is True:
        return ""
    for name in (
        "text",
        "content",
        "refusal",
        "value",
        "input_text",
        "guardContent",
        "parts",
        "searchResult",
        "document",
        "source",
    ):
        inner = part.get(name)
        if inner is None:
            continue
        if name in ("document", "source") and not isinstance(inner, dict):
            continue
        if name == "source" and inner.get("type") not in ("text", "content"):
            continue
        if name == "source":
            return content_text(inner.get("data") or inner.get("content"), depth + 1)
        return content_text(inner, depth + 1)
    return ""


def result_text(content: object) -> str | None:
    """The text of the tool results among the parts; None when there is no tool result."""
    if not isinstance(content, list):
        return None
    texts: list[str] = []
    found = False
    for part in content:
        if not isinstance(part, dict):
            continue
        inner = _result_of(part)
        if inner is not None:
            found = True
            texts.append(inner)
    return "\n".join(text for text in texts if text) if found else None


def _result_of(part: dict[str, Any]) -> str | None:
    if part.get("type") in RESULTS:
        for name in ("content", "output", "result", "response"):
            if part.get(name) is not None:
                return loose_text(part[name])
        return ""
    nested = part.get("toolResult")
    if isinstance(nested, dict):
        return loose_text(nested.get("content"))
    nested = part.get("functionResponse", part.get("function_response"))
    if isinstance(nested, dict):
        return loose_text(nested.get("response"))
    return None


def loose_text(value: object, depth: int = 0) -> str:
    """The text of a tool's output: content as usual, other JSON by its text leaves."""
    if depth > _DEEPEST:
        return ""
    if isinstance(value, dict):
        text = content_text(value)
        if text:
            return text
        return "\n".join(t for v in value.values() if (t := loose_text(v, depth + 1)))
    if isinstance(value, list):
        return "\n".join(t for v in value if (t := loose_text(v, depth + 1)))
    return content_text(value)
