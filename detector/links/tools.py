"""Tools: the tool definitions of a request, word for word.

False friend: every user of one agent or one client release sends the same definitions.
"""

from __future__ import annotations

import numpy as np

from detector.hashing import combine
from streams.jit import njit

FAMILY = "tools"
KINDS = ("tools",)
FALSE_FRIEND = "all users of one agent or client release"

_TOOLS = np.uint64(111)


@njit(cache=True)
def tools_key(piece_hash: np.uint64) -> np.uint64:
    """Link key of tool definitions, from `hash_pieces`."""
    return combine(_TOOLS, piece_hash)
