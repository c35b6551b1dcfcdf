"""Output harvesting: what is taken out, and whether anybody goes on talking about it.

threat.md section 7, features 7-12. Attempts are counted when answered 2xx: a repeat after a
failure is a retry, a repeat after an answer is a resample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features.row import Row
from streams.columns import LENGTH, REFUSAL
from streams.jit import njit

NAME = "harvest"

FIELDS = [
    ("answered", "f4"),  # weight of answered requests
    ("turned_w", "f4"),  # weight of those whose messages the log has
    ("one_shot", "f4"),
    ("resampled", "f4"),
    ("ratio_w", "f4"),
    ("ratio", "f4"),  # sum of log((1 + out) / (1 + in))
    ("out_w", "f4"),
    ("out_log", "f4"),  # sum of log(1 + output tokens)
    ("finish_w", "f4"),
    ("saturated", "f4"),
    ("refused", "f4"),
    ("fan_w", "f4"),
    ("fan", "f4"),  # sum of log(n)
    ("params_w", "f4"),
    ("probed", "f4"),  # logprobs or logit bias with at most two tokens asked
    ("tag_w", "f4"),
    ("tag_kept", "f4"),  # a thinking tag was mandated and the answer starts with one
    ("zero_w", "f4"),
    ("zero", "f4"),  # temperature known and near zero
    ("structured_w", "f4"),
    ("structured", "f4"),
    ("graded_w", "f4"),
    ("short_graded", "f4"),
    ("pairs", "u4"),
    ("taken_tokens", "f8"),
    ("taken_known", "u4"),
]

FEATURES = (
    "one_shot_share",
    "resample_share",
    "output_input_ratio",
    "output_tokens",
    "saturated_share",
    "refused_share",
    "fan_out",
    "logprob_probe_share",
    "inline_tag_share",
    "zero_temperature_share",
    "structured_share",
    "graded_short_share",
)

_FEW_TOKENS = 2.0


@njit(cache=True)
def update_event(
    row: Row, e: Row, w: float, fresh: int, resample: bool, tag: bool, grade: float
) -> None:
    """Adds one answered request.

    Args:
        fresh: how many of its user pieces were new.
        resample: all of a single-turn prompt was answered before.
        tag: a new piece names a thinking tag.
        grade: largest grading probability among the new pieces.
    """
    row.answered += np.float32(w)
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
        row.taken_tokens += float(max(out_tokens, np.float32(0.0)))
        row.taken_known += np.uint32(1)
        if not np.isnan(e.input_tokens):
            row.ratio_w += np.float32(w)
            row.ratio += np.float32(
                w * (np.log1p(max(out_tokens, 0.0)) - np.log1p(max(e.input_tokens, 0.0)))
            )
        if e.piece0 != e.piece1:
            row.graded_w += np.float32(w)
            if grade > 0.5 and out_tokens <= 64.0:
                row.short_graded += np.float32(w)
    if e.finish >= 0:
        row.finish_w += np.float32(w)
        if e.finish == LENGTH:
            row.saturated += np.float32(w)
        if e.finish == REFUSAL:
            row.refused += np.float32(w)
    if not np.isnan(e.n):
        row.fan_w += np.float32(w)
        row.fan += np.float32(w * np.log(max(e.n, np.float32(1.0))))
    biased = not np.isnan(e.logit_bias) and e.logit_bias > 0.0
    if e.logprobs >= 0 or biased or not np.isnan(e.max_tokens):
        row.params_w += np.float32(w)
        if (e.logprobs == 1 or biased) and e.max_tokens <= _FEW_TOKENS:
            row.probed += np.float32(w)
    if tag and e.tag_out >= 0:
        row.tag_w += np.float32(w)
        if e.tag_out == 1:
            row.tag_kept += np.float32(w)
    if not np.isnan(e.temperature):
        row.zero_w += np.float32(w)
        if e.temperature <= 0.05:
            row.zero += np.float32(w)
    if fresh > 0:
        row.pairs += np.uint32(1)


@njit(cache=True)
def read(row: Row, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[:] = np.nan
    if row.answered <= 0.0:
        return
    if row.turned_w > 0.0:
        out[0] = row.one_shot / row.turned_w
        out[1] = row.resampled / row.turned_w
    if row.ratio_w > 0.0:
        out[2] = row.ratio / row.ratio_w
    if row.out_w > 0.0:
        out[3] = row.out_log / row.out_w
    if row.graded_w > 0.0:
        out[11] = row.short_graded / row.graded_w
    if row.finish_w > 0.0:
        out[4] = row.saturated / row.finish_w
        out[5] = row.refused / row.finish_w
    if row.fan_w > 0.0:
        out[6] = row.fan / row.fan_w
    if row.params_w > 0.0:
        out[7] = row.probed / row.params_w
    if row.tag_w > 0.0:
        out[8] = row.tag_kept / row.answered
    if row.zero_w > 0.0:
        out[9] = row.zero / row.zero_w
    if row.structured_w > 0.0:
        out[10] = row.structured / row.structured_w
