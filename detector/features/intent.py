"""Intent: what the account's new pieces ask for, and cues of elicitation.

Every number is a mean over *new* pieces of the user's own turns, so a transcript that is sent
again counts once. System prompts are charged apart (`detector.features.template`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features import frames
from detector.features.row import Row
from detector.intents import ELICIT, EXTRACTION, INTENTS, N_INTENTS
from streams.jit import njit

NAME = "intent"

FIELDS = [
    ("intent_w", "f4"),  # weight of new user pieces
    ("intent_p", "f4", (N_INTENTS,)),  # sum of probabilities
    ("intent_l", "f4"),  # sum of the extraction logit
    ("intent_l2", "f4"),  # sum of its square
    ("intent_high", "f4"),  # weight of pieces over even odds
    ("intent_low", "f4"),  # weight of pieces that clearly read as ordinary use
    ("intent_tag", "f4"),  # weight of pieces that name a thinking tag
    ("cue_pieces", "u4"),
    ("cue_best", "f4"),  # largest elicitation probability so far
]

FEATURES = (
    *(f"intent_{name}" for name in INTENTS),
    "extraction_logit",
    "extraction_spread",
    "extraction_high",
    "extraction_low",
    "thinking_tag_share",
    "hot_frame_logit",
)

CUE_PROBABILITY = 0.5
"""A new user piece whose elicitation probability reaches this is a cue piece: out of fold some 4 of
1,000 ordinary texts do."""


@njit(cache=True, inline="always")
def sigmoid(x: float) -> float:
    """Logistic function."""
    return 1.0 / (1.0 + np.exp(-x))


@njit(cache=True)
def update_piece(row: Row, w: float, logits: NDArray[np.float32], tag: bool) -> bool:
    """Adds one new user piece; returns whether it is a cue piece."""
    row.intent_w += np.float32(w)
    for k in range(N_INTENTS):
        row.intent_p[k] += np.float32(w * sigmoid(logits[k]))
    x = logits[EXTRACTION]
    row.intent_l += np.float32(w * x)
    row.intent_l2 += np.float32(w * x * x)
    if x > 0.0:
        row.intent_high += np.float32(w)
    if x < -2.0:
        row.intent_low += np.float32(w)
    if tag:
        row.intent_tag += np.float32(w)
    elicit = sigmoid(logits[ELICIT])
    if elicit > row.cue_best:
        row.cue_best = np.float32(elicit)
    if elicit >= CUE_PROBABILITY:
        row.cue_pieces += np.uint32(1)
        return True
    return False


@njit(cache=True)
def read(row: Row, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[:] = np.nan
    if row.intent_w > 0.0:
        w = row.intent_w
        for k in range(N_INTENTS):
            out[k] = row.intent_p[k] / w
        mean = row.intent_l / w
        out[N_INTENTS] = mean
        out[N_INTENTS + 1] = np.sqrt(max(row.intent_l2 / w - mean * mean, 0.0))
        out[N_INTENTS + 2] = row.intent_high / w
        out[N_INTENTS + 3] = row.intent_low / w
        out[N_INTENTS + 4] = row.intent_tag / w
    hot = frames.hot_frame(row)
    if hot >= 0:
        out[N_INTENTS + 5] = frames.shrunk_logit(row, hot)
