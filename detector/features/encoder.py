"""Encoder: what the account's pieces mean, as the prompt encoder and its head read them.

Milliseconds a piece, so the log picks what is encoded: the account's 1st, 2nd, 4th, 8th … new
piece, and every new piece while its gate is open, at most GATED of them a doubling. The gate is a
one-sided CUSUM (Page 1954) over what the cues read. The head is linear, so the sum of its log-odds
over pieces is the head of the sum of their vectors: one number an account is all that is kept. The
picks thin out by themselves, so they do not fade. System prompts are not encoded: they told benign
tools from each other more than harvests from them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features.row import Row
from detector.intents import ELICIT, EXTRACTION
from streams.columns import SYSTEM
from streams.jit import njit

NAME = "encoder"

FIELDS = [
    ("encoder_l", "f4"),  # sum of the log-odds of encoded pieces
    ("encoder_seen", "u2"),  # new pieces that the picks looked at; stays at SEEN
    ("encoder_n", "u1"),  # encoded pieces
    ("encoder_gated", "u1"),  # of those picked, how many came through the open gate alone
    ("encoder_gate", "u1"),  # CUSUM over the cues, in steps of 1 / STEPS
]

FEATURES = ("encoder_extraction",)

STEPS = 16
DRIFT = 0.5
"""Log-odds of a piece that leave the CUSUM where it is."""
OPEN = 3.0
"""The gate is open from here on."""
CEILING = 8.0
"""The CUSUM stays below, so that the gate closes within some ordinary pieces."""
GATED = 4
"""Pieces that may be encoded for the open gate, a doubling of all new pieces."""
SEEN = 65_535
"""New pieces are counted up to here, which bounds what is encoded of an account in all."""


@njit(cache=True)
def pick_pieces(
    rows: NDArray[np.void],
    index: NDArray[np.int64],
    events: NDArray[np.void],
    pieces: NDArray[np.void],
    slot: NDArray[np.int32],
    logits: NDArray[np.float32],
    picked: NDArray[np.int64],
) -> int:
    """Picks pieces to encode, in log order; returns how many.

    Args:
        index: int64, shape (n,): account row of each event, -1 for unattributed ones.
        slot, logits: the cues' readings, see `detector.cues.PieceReadings`.
        picked: int64, shape (p,), written: the pieces picked, ascending.
    """
    n = 0
    for i in range(events.shape[0]):
        if index[i] < 0:
            continue
        row = rows[index[i]]
        for p in range(events[i].piece0, events[i].piece1):
            a = slot[p]
            if a < 0 or pieces[p].role == SYSTEM:
                continue
            if _pick(row, float(max(logits[a, EXTRACTION], logits[a, ELICIT]))):
                picked[n] = p
                n += 1
    return n


@njit(cache=True)
def _pick(row: Row, logit: float) -> bool:
    seen = min(int(row.encoder_seen) + 1, SEEN)
    row.encoder_seen = np.uint16(seen)
    move = int(np.floor(STEPS * (logit - DRIFT) + 0.5))
    gate = min(max(int(row.encoder_gate) + move, 0), int(STEPS * CEILING))
    row.encoder_gate = np.uint8(gate)
    if _power_of_two(seen):
        return True
    doublings = 0
    while seen >> doublings > 0:
        doublings += 1
    if gate < STEPS * OPEN or int(row.encoder_gated) >= GATED * doublings:
        return False
    row.encoder_gated += np.uint8(1)
    return True


@njit(cache=True, inline="always")
def _power_of_two(n: int) -> bool:
    return n & (n - 1) == 0


@njit(cache=True)
def update_piece(row: Row, said: float) -> None:
    """Adds one encoded piece; `said` is the head's log-odds."""
    row.encoder_n += np.uint8(1)
    row.encoder_l += np.float32(said)


@njit(cache=True)
def hide_picks(row: Row) -> None:
    """Takes out of a copied row what the picks keep: at the batch's end it is ahead of the copy."""
    row.encoder_seen = np.uint16(0)
    row.encoder_gated = np.uint8(0)
    row.encoder_gate = np.uint8(0)


@njit(cache=True)
def read(row: Row, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[:] = np.nan
    if row.encoder_n > 0:
        out[0] = row.encoder_l / np.float32(row.encoder_n)
