"""Transcripts of streamed answers: server-sent events or JSON lines, split to their objects."""

from __future__ import annotations

from typing import Any

import msgspec


def looks_streamed(text: str) -> bool:
    """True if the text starts like server-sent events."""
    head = text.lstrip("\ufeff \r\n")[:2000]
    return head.startswith(("data:", "event:", ":", "id:", "retry:"))


def read_stream(text: str) -> tuple[list[dict[str, Any]], bool]:
    """The objects of a transcript, and whether it was cut (a last line that is no whole JSON).

    Comment lines (": PROCESSING") and the [DONE] mark are passed over. A `data` field may span
    several lines, which are joined as the HTML standard says. Lines of plain JSON are read too.
    """
    events: list[dict[str, Any]] = []
    cut = False
    pending: list[str] = []

    def flush() -> None:
        nonlocal cut
        if not pending:
            return
        joined = "\n".join(pending)
        pending.clear()
        if joined.strip() in ("", "[DONE]"):
            return
        try:
            parsed = msgspec.json.decode(joined)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            cut = True
            return
        if isinstance(parsed, dict):
            events.append(parsed)
        elif isinstance(parsed, list):
            events.extend(entry for entry in parsed if isinstance(entry, dict))

    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.startswith("data:"):
            data = line[5:].removeprefix(" ")
            if pending and _whole("\n".join(pending)):
                flush()  # some proxies leave the blank line out
            pending.append(data)
        elif not line.strip():
            flush()
        elif line.startswith(("{", "[")):
            flush()
            pending.append(line)
            flush()
    flush()
    return events, cut


def _whole(text: str) -> bool:
    if text.strip() == "[DONE]":
        return True
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    return True
