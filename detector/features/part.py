"""The hot frame seen as an account of its own: a harvest mixed into ordinary use.

An account that hides a quarter of harvest in ordinary chat looks ordinary on average. So the
classifier looks twice: at the account, and at what runs under its hot frame (`frames`). Features
that are not kept for a frame are unknown in the second vector. The larger score counts, for benign
calibration accounts as well, so the second look costs no false alarms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features import FEATURE_NAMES, frames
from streams.jit import njit

MIN_PART_PIECES = 16.0

_AT = {name: i for i, name in enumerate(FEATURE_NAMES)}
_ELICIT = _AT["intent_elicit"]
_LOGIT = _AT["extraction_logit"]
_OPENING = _AT["opening_share"]
_ONE_SHOT = _AT["one_shot_share"]
_HISTORY = _AT["history_share"]


@njit(cache=True)
def read_part(rows: NDArray[np.void], out: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Vectors of the hot frames: `out` float32, shape (len(rows), N_FEATURES), NaN where unknown.

    Returns:
        bool, shape (len(rows),): whether a row has a hot frame of MIN_PART_PIECES pieces; where
        not, the whole vector is NaN.
    """
    out[:] = np.nan
    there = np.zeros(rows.shape[0], np.bool_)
    for i in range(rows.shape[0]):
        row = rows[i]
        hot = frames.hot_frame(row)
        if hot < 0 or row.frame_pieces[hot] < MIN_PART_PIECES:
            continue
        there[i] = True
        single = row.frame_single[hot] / row.frame_pieces[hot]
        out[i, _ELICIT] = row.frame_elicit[hot] / min(row.frame_pieces[hot], np.float32(255.0))
        out[i, _LOGIT] = row.frame_logit[hot] / row.frame_pieces[hot]
        out[i, _OPENING] = 1.0
        out[i, _ONE_SHOT] = single
        out[i, _HISTORY] = 1.0 - single
    return there
