"""JSON documents written back to back: one a line, pretty-printed, concatenated, the last cut."""

from __future__ import annotations

import json

from streams.json_bytes import without_half_pairs

_DECODER = json.JSONDecoder()


def documents_in(text: str, most: int = 100_000) -> tuple[list[object], bool]:
    """The whole documents at the start of the text, and whether something unreadable follows."""
    if "\\ud" in text or "\\uD" in text:
        text = without_half_pairs(text.encode("utf-8", "replace")).decode()
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
