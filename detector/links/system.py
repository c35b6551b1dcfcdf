"""System prompt: how it begins, numbers masked; a name or a date further on does not matter.

False friend: a framework's or an app's fixed prompt, which many unrelated accounts send. There the
accounts do much else under it, ask what others ask too, or came one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.hashing import combine
from detector.tokens import tokenize
from streams.jit import njit

FAMILY = "system"
KINDS = ("system",)
FALSE_FRIEND = "a framework's or an app's fixed prompt"

LEAST_BYTES = 60
"""A shorter system prompt ("You are a helpful assistant.") is nobody's own."""
HEAD_BYTES = 96
HEAD_TOKENS = 12

_SYSTEM = np.uint64(103)


@njit(cache=True)
def system_key(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    tokens: NDArray[np.uint64],
    stems: NDArray[np.uint64],
) -> np.uint64:
    """Link key of a system prompt at bytes start to stop; 0 for a short one.

    `tokens` and `stems` (uint64, shape (>= HEAD_BYTES,)) are scratch space.
    """
    if stop - start < LEAST_BYTES:
        return np.uint64(0)
    n = tokenize(text, start, min(stop, start + HEAD_BYTES), tokens, stems)
    h = _SYSTEM
    for i in range(min(n, HEAD_TOKENS)):
        h = combine(h, tokens[i])
    return h
