"""Query diversity: how much of what is asked is new, and how evenly it covers what can be asked.

threat.md section 7, features 1-4 and 13. A token pair that most of the account's pieces carry is
its *frame*; the rest of a piece is its *item*. Direction and coverage are read from items, so a
long template does not hide that the items sweep a whole field.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features import frames
from detector.features.row import Row
from streams.jit import njit

NAME = "diversity"

DIMENSIONS = 64
FRAME_BUCKETS = 512
FRAME_CAP = 96
RECENT = 16
NEAR_BITS = 6
TOPICS = 16
MIN_OLD_PIECES = 20

FIELDS = [
    ("asked", "f4"),  # weight of answered user pieces, known or new
    ("fresh", "f4"),  # weight of those that were new
    ("near", "f4"),  # weight of near-duplicates of a recent piece
    ("framed_w", "f4"),  # weight of pieces read after the frame was known
    ("framed", "f4"),  # sum of frame shares
    ("item_tokens", "f4"),  # sum of log(1 + tokens outside the frame)
    ("piece_tokens", "f4"),  # sum of log(1 + tokens)
    ("pieces_w", "f4"),
    ("frame_n", "u2"),  # pieces counted in `frame`, halved at FRAME_CAP
    ("frame", "u1", (FRAME_BUCKETS,)),  # how many pieces carried a token pair
    ("direction", "f4", (DIMENSIONS,)),  # sum of unit item directions
    ("direction_w", "f4"),
    ("recent", "u8", (RECENT,)),  # sign hashes of recent pieces
    ("recent_n", "u4"),
    ("buckets", "u8", (32,)),  # 2,048-bit set of item buckets
    ("topic_w", "f4", (TOPICS,)),
    ("topic_same", "f4"),
    ("topic_last", "i2"),
]

FEATURES = (
    "distinct_share",
    "near_duplicate_share",
    "frame_share",
    "opening_share",
    "slot_sweep",
    "item_tokens",
    "piece_tokens",
    "coverage",
    "spread",
    "topic_entropy",
    "topic_stickiness",
)

_LN_TOPICS = np.log(TOPICS)


@njit(cache=True)
def update_asked(row: Row, w: float, fresh: bool) -> None:
    """Counts one answered user piece, new or known."""
    row.asked += np.float32(w)
    if fresh:
        row.fresh += np.float32(w)


@njit(cache=True)
def update_piece(
    row: Row,
    w: float,
    sample: NDArray[np.uint64],
    n_sample: int,
    n_tokens: int,
    z: NDArray[np.int32],
) -> None:
    """Adds one new user piece; `z` (int32, shape (DIMENSIONS,)) is scratch space."""
    row.pieces_w += np.float32(w)
    row.piece_tokens += np.float32(w * np.log1p(n_tokens))
    stable_at = row.frame_n * 0.5
    know_frame = row.frame_n >= 4
    z[:] = 0
    stable = 0
    for j in range(n_sample):
        h = sample[j]
        bucket = np.int64(h >> np.uint64(55))
        if know_frame and row.frame[bucket] > stable_at:
            stable += 1
            continue
        for b in range(DIMENSIONS):
            z[b] += np.int32(h >> np.uint64(b) & np.uint64(1))
    items = n_sample - stable
    for j in range(n_sample):  # a pair counts once a piece
        bucket = np.int64(sample[j] >> np.uint64(55))
        seen = False
        for i in range(j):
            seen |= np.int64(sample[i] >> np.uint64(55)) == bucket
        if not seen and row.frame[bucket] < 255:
            row.frame[bucket] += np.uint8(1)
    row.frame_n += np.uint16(1)
    if row.frame_n >= FRAME_CAP:
        for b in range(FRAME_BUCKETS):
            row.frame[b] = row.frame[b] >> np.uint8(1)
        row.frame_n = np.uint16(row.frame_n // 2)
    if know_frame and n_sample > 0:
        share = stable / n_sample
        row.framed_w += np.float32(w)
        row.framed += np.float32(w * share)
        row.item_tokens += np.float32(w * np.log1p(n_tokens * (1.0 - share)))
    if items > 0:
        _add_direction(row, w, z, items)


@njit(cache=True)
def _add_direction(row: Row, w: float, z: NDArray[np.int32], items: int) -> None:
    sign = np.uint64(0)
    norm2 = 0.0
    for b in range(DIMENSIONS):
        v = 2 * z[b] - items
        norm2 += v * v
        if v > 0:
            sign |= np.uint64(1) << np.uint64(b)
    if norm2 > 0.0:
        scale = w / np.sqrt(norm2)
        for b in range(DIMENSIONS):
            row.direction[b] += np.float32(scale * (2 * z[b] - items))
        row.direction_w += np.float32(w)
    nearest = 64
    for j in range(min(row.recent_n, np.uint32(RECENT))):
        x = row.recent[j] ^ sign
        bits = 0
        while x != 0 and bits <= NEAR_BITS:
            x &= x - np.uint64(1)
            bits += 1
        nearest = min(nearest, bits)
    if nearest <= NEAR_BITS:
        row.near += np.float32(w)
    row.recent[np.int64(row.recent_n) % RECENT] = sign
    row.recent_n += np.uint32(1)
    bucket = np.int64(sign & np.uint64(2047))
    row.buckets[bucket >> 6] |= np.uint64(1) << np.uint64(bucket & 63)
    topic = np.int64(sign >> np.uint64(60))
    row.topic_w[topic] += np.float32(w)
    if row.topic_last == topic:
        row.topic_same += np.float32(w)
    row.topic_last = np.int16(topic)


@njit(cache=True)
def _ring_turns_over(row: Row) -> bool:
    """Whether replayed history is mostly unknown: the ring is too short to tell what is new."""
    return row.old_pieces >= MIN_OLD_PIECES and row.old_known < 0.5 * row.old_pieces


@njit(cache=True)
def read(row: Row, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[:] = np.nan
    if row.asked > 0.0 and not _ring_turns_over(row):
        out[0] = row.fresh / row.asked
    if row.pieces_w <= 0.0:
        return
    out[1] = row.near / row.pieces_w
    if row.framed_w > 0.0:
        out[2] = row.framed / row.framed_w
        out[5] = row.item_tokens / row.framed_w
    top = np.float32(0.0)
    for j in range(2 * frames.FRAMES):
        top = max(top, row.frame_pieces[j])  # its count is an upper bound only
    out[3] = min(top / row.frame_all, np.float32(1.0))
    if row.framed_w > 0.0 and not np.isnan(out[0]):
        out[4] = max(out[2], out[3]) * out[0]
    out[6] = row.piece_tokens / row.pieces_w
    if row.recent_n < 4:
        return
    filled = 0
    for j in range(32):
        x = row.buckets[j]
        while x != 0:
            x &= x - np.uint64(1)
            filled += 1
    expected = 2048.0 * (1.0 - (1.0 - 1.0 / 2048.0) ** float(row.recent_n))
    out[7] = min(filled / expected, 2.0)
    norm2 = 0.0
    for b in range(DIMENSIONS):
        v = row.direction[b] / row.direction_w
        norm2 += v * v
    out[8] = np.sqrt(max(1.0 - norm2, 0.0))
    entropy = 0.0
    same = 0.0
    total = 0.0
    for j in range(TOPICS):
        total += row.topic_w[j]
    for j in range(TOPICS):
        p = row.topic_w[j] / total
        same += p * p
        if p > 0.0:
            entropy -= p * np.log(p)
    out[9] = entropy / _LN_TOPICS
    out[10] = row.topic_same / total - same
