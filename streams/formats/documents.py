"""JSON documents written back to back: one a line, pretty-printed, concatenated, the last cut."""

from __future__ import annotations

import json

_DECODER = json.JSONDecoder()


def documents_in(text: str, most: int = 100_000) -> tuple[list[object], bool]:
    """The whole documents at the start of the text, and whether something unreadable follows."""
    found: list[object] = []
    at = 0
    while len(found) < most:
        while at < len(text) and text[at] in " \t\r\n,\x1e\ufeff":
            at += 1
        if at >= len(text):
            return found, False
        if text[at] not in "{[":
            return found, True
        try:
            document, at = _DECODER.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            return found, True
        found.append(document)
    return found, True
