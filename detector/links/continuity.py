"""Continuity: one dialogue cut over several accounts.

An account that replays a history which it never wrote shows the dialogue's first user turn; so does
the next account that goes on with it. All that do so with the same parameters share a key too.

False friend: a log that begins in the middle of conversations, shared example dialogues (few-shot
lists) of one tool, a ring that turned over.
"""

from __future__ import annotations

import numpy as np

from detector.hashing import combine
from streams.jit import njit

FAMILY = "continuity"
KINDS = ("continuity", "handover")
FALSE_FRIEND = "few-shot examples of one tool; a log that begins in mid-conversation"

_CONTINUITY, _HANDOVER = np.uint64(131), np.uint64(132)


@njit(cache=True)
def continuity_key(root: np.uint64) -> np.uint64:
    """Link key of a dialogue, from the hash of its first user turn."""
    return combine(_CONTINUITY, root)


@njit(cache=True)
def handover_key(parameters: np.uint64) -> np.uint64:
    """Link key of going on with dialogues of others, by the parameters' link key."""
    return combine(_HANDOVER, parameters)
