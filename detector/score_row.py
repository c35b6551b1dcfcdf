"""One scoring of one entity, as it is output."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.assessment import Scope


class ScoreRow(msgspec.Struct, frozen=True):
    """One scoring of one entity.

    Attributes:
        vector: float32, shape (N_FEATURES,), NaN where unknown.
    """

    tenant: str
    account: str
    scope: Scope
    scope_id: str
    at_s: float
    requests: int
    new_pieces: int
    cue_pieces: int
    score: float
    p_value: float
    vector: NDArray[np.float32]
