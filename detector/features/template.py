"""Template: what the account's system prompts read like, charged to the template alone.

A system prompt is written once and sent with every request, often by a framework: it may raise
suspicion (`watch`), but it is never counted as a cue of each user turn under it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features.intent import sigmoid
from detector.features.row import Row
from detector.intents import ELICIT, EXTRACTION
from streams.jit import njit

NAME = "template"

FIELDS = [
    ("system_w", "f4"),  # weight of system prompts not seen lately
    ("system_l", "f4"),  # sum of their extraction logits
    ("system_elicit", "f4"),  # sum of their elicitation probabilities
]

FEATURES = ("system_extraction", "system_elicitation")


@njit(cache=True)
def update_system(row: Row, w: float, logits: NDArray[np.float32]) -> None:
    """Adds one system prompt not seen lately."""
    row.system_w += np.float32(w)
    row.system_l += np.float32(w * logits[EXTRACTION])
    row.system_elicit += np.float32(w * sigmoid(logits[ELICIT]))


@njit(cache=True)
def read(row: Row, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[:] = np.nan
    if row.system_w > 0.0:
        out[0] = row.system_l / row.system_w
        out[1] = row.system_elicit / row.system_w
