"""Continuity: one dialogue cut over several accounts.

An account that replays a history which it never wrote shows the dialogue's first user turn; so does
the next account that goes on with it.

False friend: a log that begins in the middle of conversations, shared example dialogues (few-shot
lists) of one tool, a ring that turned over.
"""

from __future__ import annotations

import numpy as np

from detector.hashing import combine
from streams.jit import njit

FAMILY = "continuity"
KINDS = ("continuity",)
FALSE_FRIEND = "few-shot examples of one tool; a log that begins in mid-conversation"

_CONTINUITY = np.uint64(131)


@njit(cache=True)
def continuity_key(root: np.uint64) -> np.uint64:
    """Link key of a dialogue, from the hash of its first user turn."""
    return combine(_CONTINUITY, root)
