"""Spans of earlier records, remembered so that parent and child of one call are one request.

Two spans are the same call when they share a response id, or when they share trace and prompt,
start within 60 s of each other and one encloses the other in time or is the other's parent. The
memory is bounded by number, oldest out first; nothing is held back.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from streams.record import ApiRequest

WINDOW_S = 60.0


@dataclass(slots=True)
class Seen:
    """One call: its ids and times (epoch seconds), as one of its spans gave them."""

    span_id: str
    parent_id: str
    response_id: str
    start_s: float | None
    end_s: float | None


class SpanJoin:
    """Bounded memory of the calls seen, by response id and by trace and prompt."""

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._by_response: OrderedDict[str, None] = OrderedDict()
        self._by_prompt: OrderedDict[tuple[str, bytes], list[Seen]] = OrderedDict()

    def is_new(self, trace_id: str, seen: Seen, request: ApiRequest) -> bool:
        """Remembers the span; False if an earlier one was the same call."""
        if seen.response_id:
            key = f"{trace_id}/{seen.response_id}"
            if key in self._by_response:
                return False
            self._by_response[key] = None
            if len(self._by_response) > self._most:
                self._by_response.popitem(last=False)
        if not trace_id or not request.messages:
            return True
        prompt = (trace_id, prompt_digest(request))
        calls = self._by_prompt.get(prompt)
        if calls is None:
            calls = self._by_prompt[prompt] = []
            if len(self._by_prompt) > self._most:
                self._by_prompt.popitem(last=False)
        for call in calls:
            if same_call(call, seen):
                return False
        if len(calls) < 64:
            calls.append(seen)
        return True


def same_call(one: Seen, other: Seen) -> bool:
    """True if two spans with one trace and one prompt are parent and child of a call."""
    if one.response_id and other.response_id and one.response_id != other.response_id:
        return False
    if one.span_id and (one.span_id == other.parent_id or one.span_id == other.span_id):
        return True
    if other.span_id and other.span_id == one.parent_id:
        return True
    if one.parent_id and one.parent_id == other.parent_id:
        return False  # siblings: a retry or a second sample
    if one.start_s is None or other.start_s is None:
        return True
    if abs(one.start_s - other.start_s) > WINDOW_S:
        return False
    if one.end_s is None or other.end_s is None:
        return True
    return (one.start_s <= other.start_s and other.end_s <= one.end_s) or (
        other.start_s <= one.start_s and one.end_s <= other.end_s
    )


def prompt_digest(request: ApiRequest) -> bytes:
    """16 bytes over the new end of the conversation: the last user text and all before it."""
    digest = hashlib.blake2b(digest_size=16)
    for message in request.messages or ():
        if message.role not in ("system", "developer"):  # parents give the system text apart
            digest.update(message.role.encode("utf-8", "replace"))
            digest.update(b"\0")
            digest.update(message.text.encode("utf-8", "replace"))
            digest.update(b"\1")
    return digest.digest()
