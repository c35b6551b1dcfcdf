"""Frames: what an account does under the opening words that read most like a harvest.

An account that mixes a harvest with ordinary chat looks ordinary on average. So pieces are kept
apart by their opening words (numbers masked), and the *hot frame* is the one whose new pieces have
the largest mean extraction logit, among those with at least MIN_PIECES pieces.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detector.features.row import Row

NAME = "frames"

FRAMES = 6
MIN_PIECES = 4.0

FIELDS = [
    ("frame_key", "u4", (FRAMES,)),
    ("frame_count", "f4", (FRAMES,)),  # Space-Saving counts, in pieces
    ("frame_pieces", "f4", (FRAMES,)),  # pieces since the frame took its place
    ("frame_logit", "f4", (FRAMES,)),  # sum of extraction logits over those
    ("frame_single", "f4", (FRAMES,)),  # how many of them came in a one-shot request
    ("frame_all", "f4"),  # all new pieces
]

FEATURES = ("hot_frame_share", "hot_frame_one_shot")


@njit(cache=True)
def update_piece(row: Row, opening: np.uint64, logit: float, one_shot: bool) -> None:
    """Adds one new user piece to its frame (Space-Saving, Metwally et al. 2005)."""
    key = np.uint32(opening & np.uint64(0xFFFFFFFF))
    row.frame_all += np.float32(1.0)
    at = -1
    least = 0
    for j in range(FRAMES):
        if row.frame_key[j] == key and row.frame_count[j] > 0.0:
            at = j
        if row.frame_count[j] < row.frame_count[least]:
            least = j
    if at < 0:
        at = least
        row.frame_key[at] = key
        row.frame_pieces[at] = np.float32(0.0)
        row.frame_logit[at] = np.float32(0.0)
        row.frame_single[at] = np.float32(0.0)
    row.frame_count[at] += np.float32(1.0)
    row.frame_pieces[at] += np.float32(1.0)
    row.frame_logit[at] += np.float32(logit)
    if one_shot:
        row.frame_single[at] += np.float32(1.0)


@njit(cache=True)
def hot_frame(row: Row) -> int:
    """Index of the hot frame, -1 where no frame has MIN_PIECES pieces yet."""
    best = -1
    top = 0.0
    for j in range(FRAMES):
        if row.frame_pieces[j] >= MIN_PIECES:
            mean = row.frame_logit[j] / row.frame_pieces[j]
            if best < 0 or mean > top:
                best = j
                top = mean
    return best


@njit(cache=True)
def read(row: Row, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[:] = np.nan
    hot = hot_frame(row)
    if hot >= 0:
        out[0] = min(row.frame_pieces[hot] / row.frame_all, np.float32(1.0))
        out[1] = row.frame_single[hot] / row.frame_pieces[hot]
