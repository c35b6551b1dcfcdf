"""Credentials and clients: how many people, keys, machines and networks stand behind an account.

threat.md section 7, feature 18. Many end users protect: they are what a product looks like.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features.row import Row
from detector.features.sketches import heavy_add, hll_add, hll_count
from streams.jit import njit

NAME = "clients"

FIELDS = [
    ("end_users", "u1", (32,)),
    ("addresses", "u1", (16,)),
    ("networks", "u1", (16,)),
    ("agents", "u1", (16,)),
    ("keys", "u1", (16,)),
    ("first_user", "u4"),  # the first seen, to know for sure when there is another
    ("first_key", "u4"),
    ("many_users", "u1"),
    ("many_keys", "u1"),
    ("named_w", "u4"),  # requests that named an end user
    ("addressed_w", "u4"),
    ("networked_w", "u4"),
    ("agent_w", "u4"),
    ("keyed_w", "u4"),
    ("blame_user", "u4", (3,)),  # which end users (row + 1) the evidence came from
    ("blame_user_w", "f4", (3,)),
    ("blame_key", "u4", (3,)),
    ("blame_key_w", "f4", (3,)),
    ("blame", "f4"),  # weight of all evidence pieces
]

FEATURES = (
    "end_user_spread",
    "address_spread",
    "network_spread",
    "agent_spread",
    "key_spread",
)


@njit(cache=True, inline="always")
def _short(identity: np.uint64) -> np.uint32:
    """31 bits of an identity, never 0."""
    return np.uint32(identity & np.uint64(0xFFFFFFFF) | np.uint64(1))


@njit(cache=True)
def update_event(row: Row, e: Row) -> None:
    """Adds one request's identities; 0 means that the log has none."""
    if e.end_user != 0:
        hll_add(row.end_users, e.end_user)
        short = _short(e.end_user)
        if row.first_user == 0:
            row.first_user = short
        elif row.first_user != short:
            row.many_users = np.uint8(1)
        row.named_w += np.uint32(1)
    if e.address != 0:
        hll_add(row.addresses, e.address)
        row.addressed_w += np.uint32(1)
    if e.network != 0:
        hll_add(row.networks, e.network)
        row.networked_w += np.uint32(1)
    if e.agent != 0:
        hll_add(row.agents, e.agent)
        row.agent_w += np.uint32(1)
    if e.key != 0:
        hll_add(row.keys, e.key)
        short = _short(e.key)
        if row.first_key == 0:
            row.first_key = short
        elif row.first_key != short:
            row.many_keys = np.uint8(1)
        row.keyed_w += np.uint32(1)


@njit(cache=True)
def blame(row: Row, user: np.uint32, key: np.uint32, evidence: float) -> None:
    """Charges evidence (>= 0) to the end user and key that sent it: their rows + 1, 0 for none."""
    row.blame += np.float32(evidence)
    if user != 0:
        heavy_add(row.blame_user, row.blame_user_w, user, evidence)
    if key != 0:
        heavy_add(row.blame_key, row.blame_key_w, key, evidence)


@njit(cache=True, inline="always")
def _spread(registers: NDArray[np.uint8], n: int) -> float:
    """log(distinct) / log(requests), 0 for one and 1 for a new one each time."""
    if n < 2:
        return np.nan
    return min(np.log(max(hll_count(registers), 1.0)) / np.log(float(n)), 1.0)


@njit(cache=True)
def read(row: Row, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[0] = _spread(row.end_users, row.named_w)
    out[1] = _spread(row.addresses, row.addressed_w)
    out[2] = _spread(row.networks, row.networked_w)
    out[3] = _spread(row.agents, row.agent_w)
    out[4] = _spread(row.keys, row.keyed_w)
