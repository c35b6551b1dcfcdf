"""What is kept of a key or an end user: a short row, read into the same features as an account.

Features that the short row cannot hold are unknown (NaN) in its vector; the classifier is trained
with such vectors too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features import FEATURE_NAMES
from detector.features.intent import CUE_PROBABILITY, sigmoid
from detector.features.row import Row
from detector.intents import ELICIT, EXTRACTION, N_INTENTS
from streams.jit import njit

NARROW_ROW = np.dtype(
    [
        ("account", "u8"),
        ("first_s", "f8"),
        ("last_s", "f8"),
        ("requests", "u4"),
        ("new_pieces", "u4"),
        ("cue_pieces", "u4"),
        ("next_point", "u4"),
        ("cue_best", "f4"),
        ("w", "f4"),
        ("w2", "f4"),
        ("asked", "f4"),
        ("fresh", "f4"),
        ("intent_w", "f4"),
        ("intent_p", "f4", (N_INTENTS,)),
        ("intent_l", "f4"),
        ("intent_l2", "f4"),
        ("intent_high", "f4"),
        ("intent_low", "f4"),
        ("intent_tag", "f4"),
        ("opening_key", "u4"),
        ("opening_w", "f4"),
        ("piece_tokens", "f4"),
        ("turned_w", "f4"),
        ("one_shot", "f4"),
        ("resampled", "f4"),
        ("structured_w", "f4"),
        ("structured", "f4"),
        ("out_w", "f4"),
        ("out_log", "f4"),
        ("ratio_w", "f4"),
        ("ratio", "f4"),
        ("taken_tokens", "f4"),
        ("texted", "f4"),
        ("with_history", "f4"),
        ("turns", "f4"),
        ("user_bytes", "f4"),
    ],
    align=True,
)
"""State of one key or end user; at most 256 bytes."""

_AT = {name: i for i, name in enumerate(FEATURE_NAMES)}
_LOGIT = _AT["extraction_logit"]
_DISTINCT = _AT["distinct_share"]
_OPENING = _AT["opening_share"]
_TOKENS = _AT["piece_tokens"]
_ONE_SHOT = _AT["one_shot_share"]
_RESAMPLE = _AT["resample_share"]
_RATIO = _AT["output_input_ratio"]
_OUT = _AT["output_tokens"]
_STRUCTURED = _AT["structured_share"]
_EFFECTIVE = _AT["effective_requests"]
_HISTORY = _AT["history_share"]
_TURNS = _AT["turns"]
_BYTES = _AT["user_bytes"]


@njit(cache=True)
def update_piece(
    row: Row, w: float, logits: NDArray[np.float32], tag: bool, n_tokens: int, opening: np.uint64
) -> None:
    """Adds one new user piece."""
    row.new_pieces += np.uint32(1)
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
    elicit = np.float32(sigmoid(logits[ELICIT]))
    row.cue_best = max(row.cue_best, elicit)
    if elicit >= CUE_PROBABILITY:
        row.cue_pieces += np.uint32(1)
    row.piece_tokens += np.float32(w * np.log1p(n_tokens))
    key = np.uint32(opening & np.uint64(0xFFFFFFFF))
    if row.opening_key == key:
        row.opening_w += np.float32(w)
    elif row.opening_w < w:  # majority vote (Boyer and Moore 1981)
        row.opening_key = key
        row.opening_w = np.float32(w)
    else:
        row.opening_w -= np.float32(w)


@njit(cache=True)
def update_event(
    row: Row, e: Row, w: float, fresh: int, asked: int, resample: bool, user_bytes: float
) -> None:
    """Adds one request."""
    row.requests += np.uint32(1)
    row.w += np.float32(w)
    row.w2 += np.float32(w * w)
    if row.requests == 1:
        row.first_s = e.time_s
        row.last_s = e.time_s
    row.last_s = max(row.last_s, e.time_s)
    if e.piece0 != e.piece1:
        row.texted += np.float32(w)
        if e.history == 1:
            row.with_history += np.float32(w)
        row.turns += np.float32(w * np.log(max(float(e.user_turns), 1.0)))
        row.user_bytes += np.float32(w * np.log1p(user_bytes))
    if e.answered == 0:
        return
    row.asked += np.float32(w * asked)
    row.fresh += np.float32(w * fresh)
    if e.user_turns > 0 or e.history == 1:
        row.turned_w += np.float32(w)
        if e.history == 0 and e.user_turns <= 1:
            row.one_shot += np.float32(w)
        if resample:
            row.resampled += np.float32(w)
    if e.structured >= 0:
        row.structured_w += np.float32(w)
        if e.structured == 1:
            row.structured += np.float32(w)
    out_tokens = e.output_tokens
    if np.isnan(out_tokens) and not np.isnan(e.output_chars):
        out_tokens = e.output_chars / np.float32(4.0)
    if not np.isnan(out_tokens):
        row.out_w += np.float32(w)
        row.out_log += np.float32(w * np.log1p(max(out_tokens, np.float32(0.0))))
        row.taken_tokens += max(out_tokens, np.float32(0.0))
        if not np.isnan(e.input_tokens):
            row.ratio_w += np.float32(w)
            row.ratio += np.float32(
                w * (np.log1p(max(out_tokens, 0.0)) - np.log1p(max(e.input_tokens, 0.0)))
            )


@njit(cache=True)
def read_narrow(rows: NDArray[np.void], out: NDArray[np.float32]) -> None:
    """Feature vectors of short rows: `out` float32, shape (len(rows), N_FEATURES), NaN unknown."""
    out[:] = np.nan
    for i in range(rows.shape[0]):
        row = rows[i]
        if row.intent_w > 0.0:
            w = row.intent_w
            for k in range(N_INTENTS):
                out[i, k] = row.intent_p[k] / w
            mean = row.intent_l / w
            out[i, _LOGIT] = mean
            out[i, _LOGIT + 1] = np.sqrt(max(row.intent_l2 / w - mean * mean, 0.0))
            out[i, _LOGIT + 2] = row.intent_high / w
            out[i, _LOGIT + 3] = row.intent_low / w
            out[i, _LOGIT + 4] = row.intent_tag / w
            out[i, _OPENING] = min((row.opening_w / w + 1.0) * 0.5, 1.0)  # margin to share
            out[i, _TOKENS] = row.piece_tokens / w
        if row.asked > 0.0:
            out[i, _DISTINCT] = row.fresh / row.asked
        if row.turned_w > 0.0:
            out[i, _ONE_SHOT] = row.one_shot / row.turned_w
            out[i, _RESAMPLE] = row.resampled / row.turned_w
        if row.structured_w > 0.0:
            out[i, _STRUCTURED] = row.structured / row.structured_w
        if row.ratio_w > 0.0:
            out[i, _RATIO] = row.ratio / row.ratio_w
        if row.out_w > 0.0:
            out[i, _OUT] = row.out_log / row.out_w
        if row.w2 > 0.0:
            out[i, _EFFECTIVE] = np.log1p(float(row.w) * float(row.w) / float(row.w2))
        if row.texted > 0.0:
            out[i, _HISTORY] = row.with_history / row.texted
            out[i, _TURNS] = row.turns / row.texted
            out[i, _BYTES] = row.user_bytes / row.texted
