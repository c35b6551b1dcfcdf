"""Frames: what an account does under the words around its items that read most like a harvest.

An account that mixes a harvest with ordinary chat looks ordinary on average. So pieces are kept
apart by their opening words, and once more by their closing words: a frame may stand before or
behind its item (numbers are masked). The *hot frame* is the one whose new pieces have the largest
extraction logit, shrunk towards 0 for frames of few pieces: Σ logit / (pieces + SHRINK).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features.row import Row
from streams.jit import njit

NAME = "frames"

FRAMES = 6
MIN_PIECES = 4.0
SHRINK = 6.0

FIELDS = [
    ("frame_key", "u4", (2 * FRAMES,)),  # openings, then closings
    ("frame_count", "f4", (2 * FRAMES,)),  # Space-Saving counts, in pieces
    ("frame_pieces", "f4", (2 * FRAMES,)),  # pieces since the frame took its place
    ("frame_logit", "f4", (2 * FRAMES,)),  # sum of extraction logits over those
    ("frame_single", "f4", (2 * FRAMES,)),  # how many of them came in a one-shot request
    ("frame_elicit", "u1", (2 * FRAMES,)),  # how many of them more likely elicit than not
    ("frame_all", "f4"),  # all new pieces
]

FEATURES = ("hot_frame_share", "hot_frame_one_shot")


@njit(cache=True)
def update_piece(
    row: Row, edges: NDArray[np.uint64], logit: float, elicits: bool, one_shot: bool
) -> None:
    """Adds one new user piece to its frames (Space-Saving, Metwally et al. 2005).

    Args:
        edges: uint64, shape (2,): hashes of its opening and of its closing words.
    """
    row.frame_all += np.float32(1.0)
    for side in range(2):
        key = np.uint32(edges[side] & np.uint64(0xFFFFFFFF))
        first = side * FRAMES
        at = -1
        least = first
        for j in range(first, first + FRAMES):
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
            row.frame_elicit[at] = np.uint8(0)
        row.frame_count[at] += np.float32(1.0)
        row.frame_pieces[at] += np.float32(1.0)
        row.frame_logit[at] += np.float32(logit)
        if one_shot:
            row.frame_single[at] += np.float32(1.0)
        if elicits and row.frame_elicit[at] < 255:
            row.frame_elicit[at] += np.uint8(1)


@njit(cache=True)
def shrunk_logit(row: Row, j: int) -> float:
    """Mean extraction logit of frame j, shrunk towards 0."""
    return row.frame_logit[j] / (row.frame_pieces[j] + SHRINK)


@njit(cache=True)
def hot_frame(row: Row) -> int:
    """Index of the hot frame, -1 where no frame has MIN_PIECES pieces yet."""
    best = -1
    top = 0.0
    for j in range(2 * FRAMES):
        if row.frame_pieces[j] >= MIN_PIECES:
            heat = shrunk_logit(row, j)
            if best < 0 or heat > top:
                best = j
                top = heat
    return best


@njit(cache=True)
def read(row: Row, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[:] = np.nan
    hot = hot_frame(row)
    if hot >= 0:
        out[0] = min(row.frame_pieces[hot] / row.frame_all, np.float32(1.0))
        out[1] = row.frame_single[hot] / row.frame_pieces[hot]
