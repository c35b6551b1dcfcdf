"""Spans of earlier records, remembered so that parent and child of one call are one request.

Two spans are the same call when they share span or response id, or when they share trace and
prompt, start within 60 s of each other and one encloses the other in time or is the other's
parent. The first one seen stands for the call; read again (a record delivered twice) it is given
again, with the same event id. The memory is bounded by number, oldest out first; nothing is held
back.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

from streams.record import ApiRequest

WINDOW_S = 60.0
_MOST_CALLS = 64
"""Calls remembered of one prompt in one trace."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Seen:
    """One span or log record of a call: its ids and times (epoch seconds)."""

    span_id: str
    parent_id: str
    response_id: str
    start_s: float | None
    end_s: float | None
    is_log: bool = False


@dataclass(slots=True)
class _Prompt:
    """The text of an agent's turn and the call that took it."""

    text: str
    taken_by: str | None = None


@dataclass(frozen=True, slots=True)
class JoinState:
    """What a `SpanJoin` remembers, oldest first, as a snapshot keeps it.

    Attributes:
        spans, responses: the call that stands for each id.
        prompts: the calls of each trace and prompt digest.
        turns: an agent's turn, its text, and the call that took it.
    """

    spans: list[tuple[str, Seen]]
    responses: list[tuple[str, Seen]]
    prompts: list[tuple[str, bytes, tuple[Seen, ...]]]
    turns: list[tuple[str, str, str | None]]


class SpanJoin:
    """Bounded memory of the calls seen, by span, by response id, and by trace and prompt."""

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._by_span: OrderedDict[str, Seen] = OrderedDict()
        self._by_response: OrderedDict[str, Seen] = OrderedDict()
        self._by_prompt: OrderedDict[tuple[str, bytes], list[Seen]] = OrderedDict()
        self._prompts: OrderedDict[str, _Prompt] = OrderedDict()

    def size(self) -> int:
        """Number of entries held, over all tables."""
        return (
            len(self._by_response) + len(self._by_span) + len(self._by_prompt) + len(self._prompts)
        )

    def dump(self) -> JoinState:
        """A copy of all that is remembered."""
        return JoinState(
            [*self._by_span.items()],
            [*self._by_response.items()],
            [(*key, tuple(calls)) for key, calls in self._by_prompt.items()],
            [(turn, known.text, known.taken_by) for turn, known in self._prompts.items()],
        )

    def load(self, state: JoinState) -> None:
        """Takes over a dump in place of what is remembered."""
        self._by_span = OrderedDict(state.spans)
        self._by_response = OrderedDict(state.responses)
        self._by_prompt = OrderedDict(
            ((trace, digest), [*calls]) for trace, digest, calls in state.prompts
        )
        self._prompts = OrderedDict(
            (turn, _Prompt(text, taken_by)) for turn, text, taken_by in state.turns
        )

    def keep_prompt(self, turn: str, text: str) -> None:
        """Remembers the text of an agent's turn, logged before the calls made for it."""
        known = self._prompts.get(turn)
        if known is None or known.text != text:
            self._remember(self._prompts, turn, _Prompt(text))

    def take_prompt(self, turn: str, call: str) -> str | None:
        """The remembered text for the first call of the turn: later ones bring nothing new."""
        known = self._prompts.get(turn)
        if known is None or known.taken_by not in (None, call):
            return None
        known.taken_by = call
        return known.text

    def is_new(self, trace_id: str, seen: Seen, request: ApiRequest) -> bool:
        """Remembers the span; False if another one told of the same call before."""
        if (
            trace_id
            and seen.span_id
            and not self._owns(self._by_span, f"{trace_id}/{seen.span_id}", seen)
        ):
            return False
        if seen.response_id and not self._owns(
            self._by_response, f"{trace_id}/{seen.response_id}", seen
        ):
            return False
        if not trace_id or not request.messages:
            return True
        prompt = (trace_id, prompt_digest(request))
        calls = self._by_prompt.get(prompt)
        if calls is None:
            calls = []
            self._remember(self._by_prompt, prompt, calls)
        if seen in calls:
            return True
        if any(same_call(call, seen) for call in calls):
            return False
        if len(calls) < _MOST_CALLS:
            calls.append(seen)
        return True

    def _owns(self, known: OrderedDict[str, Seen], key: str, seen: Seen) -> bool:
        owner = known.get(key)
        if owner is None:
            self._remember(known, key, seen)
            return True
        return owner == seen

    def _remember(self, known: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
        known[key] = value
        if len(known) > self._most:
            known.popitem(last=False)


def same_call(one: Seen, other: Seen) -> bool:
    """True if two spans with one trace and one prompt are parent and child of a call."""
    if one.response_id and other.response_id and one.response_id != other.response_id:
        return False
    if one.span_id and one.span_id in (other.parent_id, other.span_id):
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
    """16 bytes over roles and texts of the conversation, system entries left out.

    A parent span gives the system text apart where its child has it in the list.
    """
    digest = hashlib.blake2b(digest_size=16)
    for message in request.messages or ():
        if message.role not in ("system", "developer"):
            digest.update(message.role.encode("utf-8", "replace"))
            digest.update(b"\0")
            digest.update(message.text.encode("utf-8", "replace"))
            digest.update(b"\1")
    return digest.digest()
