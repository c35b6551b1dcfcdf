"""The texts of a micro-batch: pieces in event order over one buffer of UTF-8."""

from __future__ import annotations

from itertools import chain, repeat
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from streams.columns import (
    ASSISTANT,
    PIECE,
    SYSTEM,
    TOOL_RESULT,
    TOOLS,
    USER,
    Fields,
    codes,
    numbers,
)
from streams.jit import njit

_ROLES = {
    "system": SYSTEM,
    "developer": SYSTEM,
    "user": USER,
    "human": USER,
    "assistant": ASSISTANT,
    "model": ASSISTANT,
    "tool": TOOL_RESULT,
    "function": TOOL_RESULT,
}


def lay_out_pieces(
    fields: Fields, events: NDArray[np.void]
) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
    """Flattens system prompts, tools and messages; fills piece0, piece1, turns and history.

    An event's pieces are its system prompt, its tools and its messages, in that order.
    """
    n = len(events)
    lists = [messages or () for messages in fields["messages"]]
    counts = np.fromiter(map(len, lists), np.int64, n)
    messages = list(chain.from_iterable(lists))
    roles = codes(map(_ROLES.get, map(attrgetter("role"), messages), repeat(USER)), len(messages))
    told = numbers(fields["n_messages"])
    told = np.where(np.isnan(told), np.where(counts > 0, counts, -1), told)
    events["n_messages"] = np.clip(told, -1, 2**31 - 1)

    systems, tools = fields["system"], fields["tools"]
    with_system = np.flatnonzero(np.fromiter(map(bool, systems), np.bool_, n))
    with_tools = np.flatnonzero(np.fromiter(map(bool, tools), np.bool_, n))
    texts = [systems[i] for i in with_system.tolist()]
    texts += [tools[i] for i in with_tools.tolist()]
    heads = len(texts)
    texts += map(attrgetter("text"), messages)
    # a picture or a bare tool call: no text to know or to repeat
    blank = np.fromiter(map(str.isspace, texts), np.bool_, len(texts))
    blank[:heads] = False
    buffer, starts, stops = _encode(texts)
    pieces = np.zeros(len(texts), PIECE)
    placed = _place(
        counts, roles, with_system, with_tools, starts, stops, blank | (starts == stops),
        events, pieces,
    )  # fmt: skip
    return pieces[:placed], np.frombuffer(buffer, np.uint8)


@njit(cache=True)
def _place(
    counts: NDArray[np.int64],
    roles: NDArray[np.int8],
    with_system: NDArray[np.int64],
    with_tools: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    blank: NDArray[np.bool_],
    events: NDArray[np.void],
    pieces: NDArray[np.void],
) -> int:
    """Puts each event's texts in its order; returns how many pieces there are.

    Args:
        counts: shape (n,): messages of each event.
        roles: shape (m,), of all messages.
        with_system, with_tools: ascending: the events that have one.
        starts, stops, blank: shape (t,): of the texts: system prompts, tools, messages.
        events: receives piece0, piece1, user_turns and history.
        pieces: PIECE, shape (t,), zeros, receives the pieces that are not blank.
    """
    system = 0
    tool = 0
    first_message = len(with_system) + len(with_tools)
    m = 0
    p = 0
    for i in range(len(counts)):
        event = events[i]
        event.piece0 = p
        if system < len(with_system) and with_system[system] == i:
            p += _put(pieces, p, i, SYSTEM, 0, starts, stops, blank, system)
            system += 1
        if tool < len(with_tools) and with_tools[tool] == i:
            p += _put(pieces, p, i, TOOLS, 0, starts, stops, blank, len(with_system) + tool)
            tool += 1
        end = m + counts[i]
        last_answer = -1
        user_turns = 0
        history = 0
        for j in range(m, end):
            if roles[j] == USER:
                user_turns += 1
            elif roles[j] == TOOL_RESULT:
                history = 1
            elif roles[j] == ASSISTANT and j < end - 1:
                # an answer begun by the client, at the list's end, is no history
                last_answer = j
                history = 1
        event.user_turns = min(user_turns, 32_000)
        event.history = history
        for j in range(m, end):
            last_turn = 1 if j > last_answer else 0
            p += _put(pieces, p, i, roles[j], last_turn, starts, stops, blank, first_message + j)
        m = end
        event.piece1 = p
    return p


@njit(cache=True, inline="always")
def _put(
    pieces: NDArray[np.void],
    p: int,
    event: int,
    role: int,
    last_turn: int,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    blank: NDArray[np.bool_],
    text: int,
) -> int:
    """Writes one piece; returns 1, or 0 for a blank text."""
    if blank[text]:
        return 0
    piece = pieces[p]
    piece.start = starts[text]
    piece.stop = stops[text]
    piece.event = event
    piece.role = role
    piece.last_turn = last_turn
    return 1


def _encode(texts: list[str]) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64]]:
    """All texts in one buffer, with start and stop of each; those of ASCII first, in one go."""
    n = len(texts)
    other = np.flatnonzero(~np.fromiter(map(str.isascii, texts), np.bool_, n))
    encoded = [texts[i].encode("utf-8", "surrogatepass") for i in other.tolist()]
    for i in other.tolist():
        texts[i] = ""
    lengths = np.fromiter(map(len, texts), np.int64, n)
    stops = np.cumsum(lengths)
    plain = "".join(texts).encode("ascii")
    lengths[other] = np.fromiter(map(len, encoded), np.int64, len(encoded))
    stops[other] = len(plain) + np.cumsum(lengths[other])
    return b"".join([plain, *encoded]), stops - lengths, stops
