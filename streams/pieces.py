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
    owner = np.repeat(np.arange(n), counts)
    last_turn = _read_turns(roles, owner, counts, events)
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
    wanted = np.fromiter(map(bool, texts), np.bool_, len(texts))
    wanted[heads:] &= ~np.fromiter(map(str.isspace, texts[heads:]), np.bool_, len(messages))

    pieces = np.zeros(len(texts), PIECE)
    buffer = _encode(texts, pieces)
    pieces["event"] = events_of = np.concatenate([with_system, with_tools, owner])
    pieces["role"] = SYSTEM
    pieces["role"][len(with_system) : heads] = TOOLS
    pieces["role"][heads:] = roles
    pieces["last_turn"][heads:] = last_turn
    if heads:  # a stable sort brings each event's system prompt and tools before its messages
        order = np.argsort(events_of, kind="stable")
        pieces = pieces[order[wanted[order]]]
    elif not wanted.all():
        pieces = pieces[wanted]
    ends = np.cumsum(np.bincount(pieces["event"], minlength=n))
    events["piece1"] = ends
    events["piece0"][1:] = ends[:-1]
    return pieces, np.frombuffer(buffer, np.uint8)


def _read_turns(
    roles: NDArray[np.int8],
    owner: NDArray[np.int64],
    counts: NDArray[np.int64],
    events: NDArray[np.void],
) -> NDArray[np.bool_]:
    """Which messages come after the last answer, shape (m,); fills user_turns and history.

    Args:
        roles: shape (m,), of all messages.
        owner: shape (m,), ascending: the event of each.
        counts: shape (n,): messages of each event.
    """
    n = len(counts)
    ends = np.cumsum(counts)
    at = np.arange(len(roles))
    # an answer begun by the client, at the list's end, is no history
    answer = np.flatnonzero((roles == ASSISTANT) & (at < ends[owner] - 1))
    last_answer = np.full(n, -1)
    np.maximum.at(last_answer, owner[answer], answer)
    events["user_turns"] = np.minimum(np.bincount(owner[roles == USER], minlength=n), 32_000)
    events["history"] = last_answer >= 0
    events["history"][owner[roles == TOOL_RESULT]] = 1
    result: NDArray[np.bool_] = at > last_answer[owner]
    return result


def _encode(texts: list[str], pieces: NDArray[np.void]) -> bytes:
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
    pieces["stop"] = stops
    pieces["start"] = stops - lengths
    return b"".join([plain, *encoded])
