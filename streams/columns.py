"""The columns of a micro-batch: their layout, their codes, and how values become numbers.

Identities are 64-bit hashes (blake2b), 0 where the log has none; a float column holds NaN and a
flag column -1 where the log does not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

LARGEST = 2.0**53
"""Numbers are held within plus and minus this, so that sums of float32 logs stay finite."""
Fields = dict[str, tuple[Any, ...]]
"""Each field of the record with its values, in the order of the requests."""


def numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
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


def codes(values: Iterable[int], n: int) -> NDArray[np.int8]:
    return np.fromiter(values, np.int8, n)
