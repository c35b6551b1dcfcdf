"""A micro-batch of requests as columns: one row an event, one row a piece of text, one buffer.

Kernels read columns, never Python objects. Identities are 64-bit hashes (blake2b), 0 where the
log has none; a float column holds NaN and a flag column -1 where the log does not say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.record import ApiRequest

SYSTEM, TOOLS, USER, ASSISTANT, TOOL_RESULT = range(5)
"""Roles of a piece."""

STOP, LENGTH, TOOL_CALLS, FILTER, REFUSAL, ERROR, OTHER = range(7)
"""Codes of `finish`; -1 where unknown."""

EVENT_ID_BYTES = 48
"""Event ids are kept in rows as exemplars; longer ones are shortened to a hash of themselves."""

EVENT = np.dtype(
    [
        ("time_s", "f8"),
        ("account", "u8"),
        ("key", "u8"),
        ("end_user", "u8"),
        ("address", "u8"),
        ("network", "u8"),
        ("agent", "u8"),
        ("model", "u8"),
        ("created_s", "f8"),
        ("temperature", "f4"),
        ("n", "f4"),
        ("max_tokens", "f4"),
        ("top_logprobs", "f4"),
        ("logit_bias", "f4"),
        ("input_tokens", "f4"),
        ("cached_tokens", "f4"),
        ("output_tokens", "f4"),
        ("output_chars", "f4"),
        ("tool_count", "f4"),
        ("piece0", "i4"),
        ("piece1", "i4"),
        ("n_messages", "i4"),
        ("user_turns", "i2"),
        ("logprobs", "i1"),
        ("stream", "i1"),
        ("structured", "i1"),
        ("answered", "i1"),
        ("finish", "i1"),
        ("tag_out", "i1"),
        ("history", "i1"),
        ("late", "i1"),
    ],
    align=True,
)
"""One request. `answered`: 1 for a 2xx, 0 for a failure. `history`: the list holds an earlier
answer or a tool result. `user_turns`: user messages in the list. `n_messages`: -1 unknown."""

PIECE = np.dtype(
    [("start", "i8"), ("stop", "i8"), ("event", "i4"), ("role", "u1"), ("last_turn", "u1")],
    align=True,
)
"""One piece of text: bytes start to stop of the buffer. `last_turn`: after the last answer."""

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
_FINISH = {
    "stop": STOP,
    "length": LENGTH,
    "tool_calls": TOOL_CALLS,
    "content_filter": FILTER,
    "refusal": REFUSAL,
    "error": ERROR,
    "other": OTHER,
    None: -1,
}
_FLAG = {None: -1, False: 0, True: 1}
_FLOATS = (
    ("created_s", "account_created_s"),
    ("temperature", "temperature"),
    ("n", "n"),
    ("max_tokens", "max_tokens"),
    ("top_logprobs", "top_logprobs"),
    ("logit_bias", "logit_bias_size"),
    ("cached_tokens", "cached_tokens"),
    ("output_tokens", "output_tokens"),
    ("output_chars", "output_chars"),
    ("tool_count", "tool_count"),
)
LARGEST = 2.0**53
"""Numbers are held within plus and minus this, so that sums of float32 logs stay finite."""
_IDS = (
    ("end_user", "end_user"),
    ("address", "client_ip"),
    ("network", "network"),
    ("agent", "user_agent"),
    ("model", "model"),
    ("key", "key"),
)


@dataclass(frozen=True, slots=True)
class RequestBatch:
    """Columns of a micro-batch.

    Attributes:
        requests: the records, in log order; length n.
        events: EVENT, shape (n,).
        pieces: PIECE, shape (p,), in event order.
        text: uint8, shape (bytes,): all pieces in UTF-8, one after the other.
        event_ids: uint8, shape (n, EVENT_ID_BYTES), zero-padded.
    """

    requests: Sequence[ApiRequest]
    events: NDArray[np.void]
    pieces: NDArray[np.void]
    text: NDArray[np.uint8]
    event_ids: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.requests)


class BatchBuilder:
    """Turns records into columns. Keeps a bounded cache of identity hashes, nothing else."""

    def __init__(self, max_cached_ids: int = 500_000) -> None:
        self._ids: dict[str | None, int] = {None: 0, "": 0}
        self._max_cached_ids = max_cached_ids

    def build(
        self, requests: Sequence[ApiRequest], times_s: Sequence[float], late: Sequence[bool]
    ) -> RequestBatch:
        """Columns of `requests`; `times_s` are the event times to use, `late` marks old ones."""
        events = np.zeros(len(requests), EVENT)
        events["time_s"] = times_s
        events["late"] = late
        if len(self._ids) > self._max_cached_ids:
            self._ids = {None: 0, "": 0}
        ids = self._ids
        for column, attribute in _IDS:
            events[column] = [
                ids[v] if v in ids else self._new_id(v)
                for v in map(attrgetter(attribute), requests)
            ]
        events["account"] = [
            self._id(account_name(r.tenant, r.account)) if r.account else 0
            for r in requests
        ]
        for column, attribute in _FLOATS:
            events[column] = _numbers(list(map(attrgetter(attribute), requests)))
        events["input_tokens"] = _numbers([_total_input(r) for r in requests])
        events["logprobs"] = [_FLAG[r.logprobs] for r in requests]
        events["stream"] = [_FLAG[r.stream] for r in requests]
        events["structured"] = [_structured(r) for r in requests]
        events["answered"] = [_answered(r) for r in requests]
        events["finish"] = [_FINISH.get(r.finish_reason, OTHER) for r in requests]
        events["tag_out"] = [
            -1 if r.output_text is None else r.output_text.lstrip()[:1] == "<" for r in requests
        ]
        pieces, buffer = _pieces(requests, events)
        event_ids = np.array([_short(r.event_id) for r in requests], dtype=f"S{EVENT_ID_BYTES}")
        return RequestBatch(
            requests,
            events,
            pieces,
            np.frombuffer(buffer, np.uint8),
            event_ids.view(np.uint8).reshape(len(requests), EVENT_ID_BYTES),
        )

    def _id(self, name: str) -> int:
        known = self._ids.get(name)
        return self._new_id(name) if known is None else known

    def _new_id(self, name: str | None) -> int:
        value = identity(name) if name else 0
        self._ids[name] = value
        return value


def identity(name: str) -> int:
    """64-bit identity of a name; never 0, which means unknown."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def account_name(tenant: str, account: str) -> str:
    """The account's name over all tenants: tenant first, as in every key and id."""
    return f"{tenant}/{account}"


def _total_input(r: ApiRequest) -> int | None:
    if r.cached_in_input is False and r.cached_tokens and r.input_tokens is not None:
        return r.input_tokens + r.cached_tokens
    return r.input_tokens


def _numbers(values: list[float | None]) -> NDArray[np.float64]:
    """Numbers as float64 within LARGEST, NaN for None."""
    try:
        column = np.array(values, dtype="f8")
    except OverflowError:  # an integer past every float
        column = np.array([None if v is None else min(max(v, -LARGEST), LARGEST) for v in values],
                          dtype="f8")  # fmt: skip
    return np.clip(column, -LARGEST, LARGEST)


def _structured(r: ApiRequest) -> int:
    """1 when an output format was asked, 0 when only other parameters are known, else -1."""
    if r.response_format is not None:
        return 1
    known = r.temperature is not None or r.max_tokens is not None or r.stream is not None
    return 0 if known else -1


def _answered(r: ApiRequest) -> int:
    status = r.status
    if status is None:
        return 0 if r.error_code else -1
    if isinstance(status, int):
        return 1 if 200 <= status < 300 else 0
    return 1 if status == "success" else 0


def _short(event_id: str) -> bytes:
    raw = event_id.encode("utf-8", "surrogatepass").replace(b"\0", b"")
    if len(raw) <= EVENT_ID_BYTES:
        return raw
    return hashlib.blake2b(raw, digest_size=16).hexdigest().encode()


def _pieces(
    requests: Sequence[ApiRequest], events: NDArray[np.void]
) -> tuple[NDArray[np.void], bytes]:
    """Flattens system prompts, tools and messages; fills piece0, piece1, turns and history."""
    texts: list[str] = []
    roles: list[int] = []
    last_turn: list[int] = []
    counts: list[int] = []
    turns: list[int] = []
    history: list[int] = []
    lengths: list[int] = []
    for r in requests:
        before = len(texts)
        if r.system:
            texts.append(r.system)
            roles.append(SYSTEM)
            last_turn.append(0)
        if r.tools:
            texts.append(r.tools)
            roles.append(TOOLS)
            last_turn.append(0)
        n_user = answered_at = 0
        has_history = 0
        messages = r.messages
        if messages:
            first = len(texts)
            prefill = len(messages) - 1  # an answer begun by the client is no history
            for k, m in enumerate(messages):
                role = _ROLES.get(m.role, USER)
                has_text = bool(m.text) and not m.text.isspace()
                if role == USER:
                    n_user += 1
                elif role == TOOL_RESULT:
                    has_history = 1
                elif role == ASSISTANT and k < prefill:
                    has_history = 1
                    answered_at = len(texts) + has_text
                if not has_text:  # a picture or a bare tool call: no text to know or to repeat
                    continue
                texts.append(m.text)
                roles.append(role)
                last_turn.append(1)
            if answered_at:
                last_turn[first:answered_at] = [0] * (answered_at - first)
            lengths.append(len(messages) if r.n_messages is None else r.n_messages)
        else:
            lengths.append(-1 if r.n_messages is None else r.n_messages)
        counts.append(len(texts) - before)
        turns.append(min(n_user, 32_000))
        history.append(has_history)
    encoded = [t.encode("utf-8", "surrogatepass") for t in texts]
    pieces = np.zeros(len(texts), PIECE)
    stops = np.cumsum(np.array(list(map(len, encoded)), dtype="i8"))
    if len(texts):
        pieces["stop"] = stops
        pieces["start"][1:] = stops[:-1]
    pieces["role"] = roles
    pieces["last_turn"] = last_turn
    ends = np.cumsum(np.array(counts, dtype="i8"))
    events["piece1"] = ends
    events["piece0"] = ends - counts
    pieces["event"] = np.repeat(np.arange(len(requests)), counts)
    events["user_turns"] = turns
    events["history"] = history
    events["n_messages"] = [min(max(length, -1), 2**31 - 1) for length in lengths]
    return pieces, b"".join(chain(encoded))


def column(events: NDArray[np.void], name: str) -> NDArray[Any]:
    """One column of the event table, typed loosely for numpy's stubs."""
    return events[name]
