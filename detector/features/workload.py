"""Workload: what kind of use this is, and how much of it has been seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features.row import Row
from detector.features.sketches import hll_add, hll_count
from streams.columns import SYSTEM, TOOL_RESULT, USER
from streams.jit import njit

NAME = "workload"

FIELDS = [
    ("requests", "u4"),
    ("new_pieces", "u4"),
    ("failures", "u4"),
    ("judged", "u4"),  # requests of which the log says whether they were answered
    ("w", "f4"),  # weight of all requests
    ("w2", "f4"),
    ("with_tools_known", "f4"),
    ("with_tools", "f4"),
    ("with_results", "f4"),
    ("with_system", "f4"),
    ("with_history", "f4"),
    ("turns", "f4"),  # sum of log(user turns)
    ("texted", "f4"),  # weight of requests whose text the log has
    ("user_bytes", "f4"),  # sum of log(1 + bytes the user wrote in this turn)
    ("own_share", "f4"),  # sum of the share of bytes that are tool results
    ("streamed_w", "f4"),
    ("streamed", "f4"),
    ("systems", "u1", (16,)),
    ("models", "u1", (16,)),
    ("old_pieces", "u4"),  # earlier-turn pieces that should be known
    ("old_known", "u4"),
]

FEATURES = (
    "effective_requests",
    "tools_share",
    "tool_result_share",
    "system_share",
    "history_share",
    "turns",
    "user_bytes",
    "own_material_share",
    "streamed_share",
    "system_prompts",
    "models",
    "failure_share",
)


@njit(cache=True)
def update_event(
    row: Row,
    e: Row,
    w: float,
    pieces: NDArray[np.void],
    hashes: NDArray[np.uint64],
) -> None:
    """Adds one request; `pieces` and `hashes` are the batch's, read from e.piece0 to e.piece1."""
    row.requests += np.uint32(1)
    row.w += np.float32(w)
    row.w2 += np.float32(w * w)
    if e.answered >= 0:
        row.judged += np.uint32(1)
    if e.answered == 0:
        row.failures += np.uint32(1)
    if e.model != 0:
        hll_add(row.models, e.model)
    if e.stream >= 0:
        row.streamed_w += np.float32(w)
        if e.stream == 1:
            row.streamed += np.float32(w)
    if not np.isnan(e.tool_count):
        row.with_tools_known += np.float32(w)
        if e.tool_count > 0.0:
            row.with_tools += np.float32(w)
    if e.piece0 == e.piece1:
        return
    row.texted += np.float32(w)
    user = 0.0
    results = 0.0
    system = False
    for p in range(e.piece0, e.piece1):
        size = float(pieces[p].stop - pieces[p].start)
        if pieces[p].role == SYSTEM:
            system = True
            hll_add(row.systems, hashes[p])
        elif pieces[p].last_turn == 1:
            if pieces[p].role == TOOL_RESULT:
                results += size
            elif pieces[p].role == USER:
                user += size
    if system:
        row.with_system += np.float32(w)
    if e.history == 1:
        row.with_history += np.float32(w)
    if results > 0.0:
        row.with_results += np.float32(w)
    row.turns += np.float32(w * np.log(max(float(e.user_turns), 1.0)))
    row.user_bytes += np.float32(w * np.log1p(user))
    if user + results > 0.0:
        row.own_share += np.float32(w * results / (user + results))


@njit(cache=True)
def read(row: Row, out: NDArray[np.float32]) -> None:
    """Writes the group's features to `out` (float32, shape (len(FEATURES),)), NaN if unknown."""
    out[:] = np.nan
    if row.requests == 0:
        return
    out[0] = np.log1p(float(row.w) * float(row.w) / float(row.w2))
    if row.with_tools_known > 0.0:
        out[1] = row.with_tools / row.with_tools_known
    if row.texted > 0.0:
        out[2] = row.with_results / row.texted
        out[3] = row.with_system / row.texted
        out[4] = row.with_history / row.texted
        out[5] = row.turns / row.texted
        out[6] = row.user_bytes / row.texted
        out[7] = row.own_share / row.texted
        out[9] = np.log1p(hll_count(row.systems))
    if row.streamed_w > 0.0:
        out[8] = row.streamed / row.streamed_w
    models = hll_count(row.models)
    if models > 0.0:
        out[10] = np.log1p(models)
    if row.judged > 0:
        out[11] = float(row.failures) / float(row.judged)
