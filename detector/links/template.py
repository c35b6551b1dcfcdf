"""Template: the words around an account's items.

Keys: the opening and the closing words of a new user turn (numbers masked); of a dialogue that
another account began, the opening words of its first turn. Ten paraphrases of one frame make ten
keys; an account that rotates through them joins them.

False friend: a framework's or an app's fixed prompt, a course's exercise sheet, a prompt gone
viral: many unrelated accounts under one text. There the items overlap, or the accounts do much
else, or they came one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.cues import EDGE_TOKENS
from detector.hashing import combine
from detector.tokens import tokenize
from streams.jit import njit

FAMILY = "template"
KINDS = ("opening", "closing")
FALSE_FRIEND = "a tool's fixed prompt, an exercise sheet, a prompt gone viral"

HEAD_BYTES = 160
"""The opening words of a turn lie within; numbers and words of a usual length."""

_OPENING, _CLOSING = np.uint64(101), np.uint64(102)


@njit(cache=True)
def opening_key(edge: np.uint64, system: np.uint64) -> np.uint64:
    """Link key of a piece's opening words under a system prompt.

    `edge` as in `PieceReadings.edges`; `system`: that prompt's link key, 0 for none.
    """
    return combine(combine(_OPENING, edge), system)


@njit(cache=True)
def closing_key(edge: np.uint64) -> np.uint64:
    """Link key of a piece's closing words."""
    return combine(_CLOSING, edge)


@njit(cache=True)
def opening_edge(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    tokens: NDArray[np.uint64],
    stems: NDArray[np.uint64],
) -> np.uint64:
    """Opening words of bytes start to stop, as `PieceReadings.edges` has them.

    `tokens` and `stems` (uint64, shape (>= HEAD_BYTES,)) are scratch space.
    """
    n = tokenize(text, start, min(stop, start + HEAD_BYTES), tokens, stems)
    first = np.uint64(1)
    for i in range(min(n, EDGE_TOKENS)):
        first = combine(first, tokens[i])
    return first
