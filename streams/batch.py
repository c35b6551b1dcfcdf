"""A micro-batch of requests as columns: one row an event, one row a piece of text, one buffer.

Kernels read columns, never Python objects. Identities are 64-bit hashes (blake2b), 0 where the
log has none; a float column holds NaN and a flag column -1 where the log does not say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import attrgetter
from typing import Any

import numpy as np
from msgspec.structs import astuple
from numpy.typing import ArrayLike, NDArray

from streams.record import ApiRequest

SYSTEM, TOOLS, USER, ASSISTANT, TOOL_RESULT = range(5)
"""Roles of a piece."""

STOP, LENGTH, TOOL_CALLS, FILTER, REFUSAL, ERROR, OTHER = range(7)
"""Codes of `finish`; -1 where unknown."""

EVENT_ID_BYTES = 40
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
_Fields = dict[str, tuple[Any, ...]]
"""Each field of the record with its values, in the order of the requests."""


@dataclass(frozen=True, slots=True)
class RequestBatch:
    """Columns of a micro-batch.

    Attributes:
        requests: the records, in log order; length n.
        events: EVENT, shape (n,).
        pieces: PIECE, shape (p,), in event order.
        text: uint8, shape (bytes,): all texts in UTF-8, in no set order.
        event_ids: uint8, shape (n, EVENT_ID_BYTES), zero-padded.
    """

    requests: Sequence[ApiRequest]
    events: NDArray[np.void]
    pieces: NDArray[np.void]
    text: NDArray[np.uint8]
    event_ids: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.requests)


class _Identities(dict[str | None, int]):
    """Identity hashes by name; one that is missing is made and kept."""

    def __missing__(self, name: str | None) -> int:
        value = self[name] = identity(name) if name else 0
        return value


class _Accounts(dict[tuple[str, str | None], int]):
    """Identity hashes by tenant and account, as `_Identities`."""

    def __missing__(self, pair: tuple[str, str | None]) -> int:
        tenant, account = pair
        value = self[pair] = identity(account_name(tenant, account)) if account else 0
        return value


class BatchBuilder:
    """Turns records into columns. Keeps bounded caches of identity hashes, nothing else.

    Every field is turned into its column whole, by functions that loop in C: a Python loop over
    records would cost more than all kernels together.
    """

    def __init__(self, max_cached_ids: int = 100_000) -> None:
        self._ids = _Identities()
        self._accounts = _Accounts()
        self._max_cached_ids = max_cached_ids

    def build(
        self, requests: Sequence[ApiRequest], times_s: ArrayLike, late: ArrayLike
    ) -> RequestBatch:
        """Columns of `requests`; `times_s` are the event times to use, `late` marks old ones."""
        n = len(requests)
        events = np.zeros(n, EVENT)
        events["time_s"] = times_s
        events["late"] = late
        fields: _Fields = dict.fromkeys(ApiRequest.__struct_fields__, ())
        fields.update(zip(fields, zip(*map(astuple, requests), strict=True), strict=n > 0))
        self._put_identities(fields, events)
        for column, attribute in _FLOATS:
            events[column] = _numbers(fields[attribute])
        for column in ("logprobs", "stream"):
            events[column] = _codes(map(_FLAG.__getitem__, fields[column]), n)
        events["input_tokens"] = _total_input(fields)
        events["structured"] = _structured(fields, events)
        events["answered"] = _answered(fields["status"], fields["error_code"])
        events["finish"] = _codes(map(_FINISH.get, fields["finish_reason"], repeat(OTHER)), n)
        events["tag_out"] = [
            -1 if text is None else text.lstrip()[:1] == "<" for text in fields["output_text"]
        ]
        pieces, text = _pieces(fields, events)
        return RequestBatch(requests, events, pieces, text, _event_ids(fields["event_id"]))

    def _put_identities(self, fields: _Fields, events: NDArray[np.void]) -> None:
        if len(self._ids) + len(self._accounts) > self._max_cached_ids:
            self._ids.clear()
            self._accounts.clear()
        n = len(events)
        for column, attribute in _IDS:
            found = map(self._ids.__getitem__, fields[attribute])
            events[column] = np.fromiter(found, np.uint64, n)
        pairs = zip(fields["tenant"], fields["account"], strict=True)
        events["account"] = np.fromiter(map(self._accounts.__getitem__, pairs), np.uint64, n)


def identity(name: str) -> int:
    """64-bit identity of a name; never 0, which means unknown."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def account_name(tenant: str, account: str) -> str:
    """The account's name over all tenants: tenant first, as in every key and id."""
    return f"{tenant}/{account}"


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    """Numbers as float64 within LARGEST, NaN for None."""
    if values.count(None) == len(values):
        return np.full(len(values), np.nan)
    try:
        column = np.array(values, dtype="f8")
    except OverflowError:  # an integer past every float
        column = np.array([None if v is None else min(max(v, -LARGEST), LARGEST) for v in values],
                          dtype="f8")  # fmt: skip
    clipped: NDArray[np.float64] = np.clip(column, -LARGEST, LARGEST)
    return clipped


def _codes(values: Iterable[int], n: int) -> NDArray[np.int8]:
    return np.fromiter(values, np.int8, n)


def _total_input(fields: _Fields) -> NDArray[np.float64]:
    """Input tokens, shape (n,), with the cached ones added where the source leaves them out."""
    told = _numbers(fields["input_tokens"])
    apart = _codes(map(_FLAG.__getitem__, fields["cached_in_input"]), len(told)) == 0
    if not apart.any():
        return told
    cached = np.nan_to_num(_numbers(fields["cached_tokens"]))
    total: NDArray[np.float64] = np.clip(told + np.where(apart, cached, 0.0), -LARGEST, LARGEST)
    return total


def _structured(fields: _Fields, events: NDArray[np.void]) -> NDArray[np.int8]:
    """1 when an output format was asked, 0 when only other parameters are known, else -1."""
    known = ~np.isnan(events["temperature"]) | ~np.isnan(events["max_tokens"])
    out = np.where(known | (events["stream"] >= 0), 0, -1).astype(np.int8)
    if fields["response_format"].count(None) < len(out):
        out[[value is not None for value in fields["response_format"]]] = 1
    return out


def _answered(status: Sequence[int | str | None], error: Sequence[str | None]) -> NDArray[np.int8]:
    """1 for a 2xx, 0 for a failure, -1 where neither status nor error code tells; shape (n,)."""
    codes = {value: _success(value) for value in set(status)}
    out = _codes(map(codes.__getitem__, status), len(status))
    for i in np.flatnonzero(out < 0).tolist():
        if error[i]:
            out[i] = 0
    return out


def _success(status: int | str | None) -> int:
    if status is None:
        return -1
    if isinstance(status, int):
        return 1 if 200 <= status < 300 else 0
    return 1 if status == "success" else 0


def _event_ids(event_ids: Sequence[str]) -> NDArray[np.uint8]:
    """Event ids as bytes, zero-padded, shape (n, EVENT_ID_BYTES)."""
    joined = "".join(map(str.ljust, event_ids, repeat(EVENT_ID_BYTES), repeat("\0")))
    padding = len(joined) - sum(map(len, event_ids))
    plain = len(joined) == len(event_ids) * EVENT_ID_BYTES  # none is longer
    if plain and joined.isascii() and joined.count("\0") == padding:
        raw = joined.encode("ascii")
    else:
        raw = b"".join([_short(event_id).ljust(EVENT_ID_BYTES, b"\0") for event_id in event_ids])
    return np.frombuffer(raw, np.uint8).reshape(len(event_ids), EVENT_ID_BYTES)


def _short(event_id: str) -> bytes:
    raw = event_id.encode("utf-8", "surrogatepass").replace(b"\0", b"")
    if len(raw) <= EVENT_ID_BYTES:
        return raw
    return hashlib.blake2b(raw, digest_size=16).hexdigest().encode()


def _pieces(
    fields: _Fields, events: NDArray[np.void]
) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
    """Flattens system prompts, tools and messages; fills piece0, piece1, turns and history.

    An event's pieces are its system prompt, its tools and its messages, in that order.
    """
    n = len(events)
    lists = [messages or () for messages in fields["messages"]]
    counts = np.fromiter(map(len, lists), np.int64, n)
    messages = list(chain.from_iterable(lists))
    roles = _codes(map(_ROLES.get, map(attrgetter("role"), messages), repeat(USER)), len(messages))
    owner = np.repeat(np.arange(n), counts)
    last_turn = _read_turns(roles, owner, counts, events)
    told = _numbers(fields["n_messages"])
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


def column(events: NDArray[np.void], name: str) -> NDArray[Any]:
    """One column of the event table, typed loosely for numpy's stubs."""
    return events[name]
