"""A micro-batch of requests as columns: one row an event, one row a piece of text, one buffer.

Kernels read columns, never Python objects. Identities are 64-bit hashes (blake2b), 0 where the
log has none; a float column holds NaN and a flag column -1 where the log does not say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from msgspec.structs import astuple
from numpy.typing import ArrayLike, NDArray

from streams.columns import (
    ERROR,
    EVENT,
    EVENT_ID_BYTES,
    FILTER,
    LARGEST,
    LENGTH,
    OTHER,
    REFUSAL,
    STOP,
    TOOL_CALLS,
    Fields,
    codes,
    numbers,
)
from streams.pieces import lay_out_pieces
from streams.record import ApiRequest

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
        fields: Fields = dict.fromkeys(ApiRequest.__struct_fields__, ())
        fields.update(zip(fields, zip(*map(astuple, requests), strict=True), strict=n > 0))
        self._put_identities(fields, events)
        for column, attribute in _FLOATS:
            events[column] = numbers(fields[attribute])
        for column in ("logprobs", "stream"):
            events[column] = codes(map(_FLAG.__getitem__, fields[column]), n)
        events["input_tokens"] = _total_input(fields)
        events["structured"] = _structured(fields, events)
        events["answered"] = _answered(fields["status"], fields["error_code"])
        events["finish"] = codes(map(_FINISH.get, fields["finish_reason"], repeat(OTHER)), n)
        events["tag_out"] = [
            -1 if text is None else text.lstrip()[:1] == "<" for text in fields["output_text"]
        ]
        pieces, text = lay_out_pieces(fields, events)
        return RequestBatch(requests, events, pieces, text, _event_ids(fields["event_id"]))

    def _put_identities(self, fields: Fields, events: NDArray[np.void]) -> None:
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


def _total_input(fields: Fields) -> NDArray[np.float64]:
    """Input tokens, shape (n,), with the cached ones added where the source leaves them out."""
    told = numbers(fields["input_tokens"])
    apart = codes(map(_FLAG.__getitem__, fields["cached_in_input"]), len(told)) == 0
    if not apart.any():
        return told
    cached = np.nan_to_num(numbers(fields["cached_tokens"]))
    total: NDArray[np.float64] = np.clip(told + np.where(apart, cached, 0.0), -LARGEST, LARGEST)
    return total


def _structured(fields: Fields, events: NDArray[np.void]) -> NDArray[np.int8]:
    """1 when an output format was asked, 0 when only other parameters are known, else -1."""
    known = ~np.isnan(events["temperature"]) | ~np.isnan(events["max_tokens"])
    out = np.where(known | (events["stream"] >= 0), 0, -1).astype(np.int8)
    if fields["response_format"].count(None) < len(out):
        out[[value is not None for value in fields["response_format"]]] = 1
    return out


def _answered(status: Sequence[int | str | None], error: Sequence[str | None]) -> NDArray[np.int8]:
    """1 for a 2xx, 0 for a failure, -1 where neither status nor error code tells; shape (n,)."""
    known = {value: _success(value) for value in set(status)}
    out = codes(map(known.__getitem__, status), len(status))
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
