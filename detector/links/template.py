"""Template: the words around an account's items, and its system prompt.

Keys: the opening and the closing words of a new user turn (numbers masked), and the system prompt
whole. Ten paraphrases of one frame make ten keys; an account that rotates through them joins them.

False friend: a framework's or an app's fixed prompt, a course's exercise sheet, a prompt gone
viral: many unrelated accounts under one text. There the items overlap, or the accounts do much
else, or they came one by one.
"""

from __future__ import annotations

import numpy as np

from detector.hashing import combine
from streams.jit import njit

FAMILY = "template"
KINDS = ("opening", "closing", "system")
FALSE_FRIEND = "a tool's fixed prompt, an exercise sheet, a prompt gone viral"

LEAST_SYSTEM_BYTES = 60
"""A shorter system prompt ("You are a helpful assistant.") is nobody's own."""

_OPENING, _CLOSING, _SYSTEM = np.uint64(101), np.uint64(102), np.uint64(103)


@njit(cache=True)
def opening_key(edge: np.uint64) -> np.uint64:
    """Link key of a piece's opening words; `edge` as in `PieceReadings.edges`."""
    return combine(_OPENING, edge)


@njit(cache=True)
def closing_key(edge: np.uint64) -> np.uint64:
    """Link key of a piece's closing words."""
    return combine(_CLOSING, edge)


@njit(cache=True)
def system_key(piece_hash: np.uint64) -> np.uint64:
    """Link key of a system prompt, from `hash_pieces`."""
    return combine(_SYSTEM, piece_hash)
