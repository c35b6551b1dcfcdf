"""The two passes over a batch's events, in log order.

`mark_new` decides which pieces are new to the account; after the cue model has read those,
`apply_events` updates the rows and copies a row out wherever its scoring point is. Every event is
applied in order, so the result does not depend on how the log was cut into batches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.entities import EXEMPLARS, RING, SYSTEM_RING
from detector.features import (
    clients,
    diversity,
    encoder,
    frames,
    harvest,
    intent,
    narrow,
    rate,
    template,
    workload,
)
from detector.features.intent import CUE_PROBABILITY, sigmoid
from detector.features.row import Row
from detector.intents import ELICIT, EXTRACTION, GRADE
from streams.columns import ASSISTANT, EVENT_ID_BYTES, SYSTEM, TOOL_RESULT, TOOLS, USER
from streams.jit import njit

FIRST_POINT = 10
HALF_LIFE_S = 7 * 86_400.0
MAX_HALF_LIVES = 50.0  # the sum of squared weights must fit float32

POINT, CUE = 0, 1
"""Why a row was copied out."""

_U32 = np.uint64(0xFFFFFFFF)


@njit(cache=True)
def next_point(n: int) -> int:
    """The scoring point after n requests: 10, 20, 30, 50, 75, 100, 150, 200, then a third more."""
    if n < 10:
        return 10
    if n < 20:
        return 20
    if n < 30:
        return 30
    if n < 50:
        return 50
    if n < 75:
        return 75
    if n < 100:
        return 100
    if n < 150:
        return 150
    if n < 200:
        return 200
    return n + n // 3


@njit(cache=True)
def _known(ring: NDArray[np.uint32], h: np.uint32) -> bool:
    hits = 0
    for j in range(ring.shape[0]):
        hits += ring[j] == h
    return hits > 0


@njit(cache=True)
def mark_new(
    rows: NDArray[np.void],
    index: NDArray[np.int64],
    events: NDArray[np.void],
    pieces: NDArray[np.void],
    hashes: NDArray[np.uint64],
    new: NDArray[np.uint8],
    old: NDArray[np.uint32],
) -> None:
    """Marks pieces that the account has not sent lately and remembers them.

    A failed attempt marks nothing as seen. Replayed history is never new: it was counted when it
    was asked, and a transcript longer than the ring must not turn it over. System prompts and
    tool definitions have a ring of their own, so that a stream of user turns does not make them
    new again.

    Args:
        index: int64, shape (n,): account row of each event, -1 for unattributed ones.
        new: uint8, shape (p,), written: 1 new, 0 known or not to be counted.
        old: uint32, shape (n, 2), written: earlier-turn pieces, and those of them in the ring.
    """
    for i in range(events.shape[0]):
        if index[i] < 0 or events[i].answered == 0:
            continue
        row = rows[index[i]]
        for p in range(events[i].piece0, events[i].piece1):
            h = np.uint32(hashes[p] & _U32)
            role = pieces[p].role
            if role == SYSTEM or role == TOOLS:
                if not _known(row.system_ring, h):
                    new[p] = 1
                    row.system_ring[np.int64(row.system_at) % SYSTEM_RING] = h
                    row.system_at += np.uint32(1)
                continue
            seen = _known(row.ring, h)
            if pieces[p].last_turn == 0:
                if role == USER or role == TOOL_RESULT:
                    old[i, 0] += np.uint32(1)
                    old[i, 1] += np.uint32(seen)
                continue
            if not seen:
                new[p] = 1
                row.ring[np.int64(row.ring_at) % RING] = h
                row.ring_at += np.uint32(1)


@njit(cache=True)
def wanted_pieces(pieces: NDArray[np.void], new: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """New pieces that the cue model reads: this turn's user text and system prompts; shape (p,)."""
    out = np.zeros(pieces.shape[0], np.bool_)
    for p in range(pieces.shape[0]):
        role = pieces[p].role
        out[p] = new[p] == 1 and ((role == USER and pieces[p].last_turn == 1) or role == SYSTEM)
    return out


@njit(cache=True)
def _weight(t: float, first_s: float) -> float:
    """Forward decay (Cormode et al. 2009): grows with time, so that ratios forget the past."""
    lives = (t - first_s) / HALF_LIFE_S
    return 2.0 ** min(max(lives, -MAX_HALF_LIVES), MAX_HALF_LIVES)


@njit(cache=True)
def _remember_exemplar(row: Row, score: float, event_id: NDArray[np.uint8]) -> None:
    least = 0
    for j in range(1, EXEMPLARS):
        if row.exemplar_score[j] < row.exemplar_score[least]:
            least = j
    if score > row.exemplar_score[least]:
        row.exemplar_score[least] = np.float32(score)
        for b in range(EVENT_ID_BYTES):
            row.exemplar[least * EVENT_ID_BYTES + b] = event_id[b]


@njit(cache=True)
def _loudest(keys: NDArray[np.uint32], weights: NDArray[np.float32]) -> int:
    """Row of the heaviest hitter (stored as row + 1), -1 if there is none."""
    best = 0
    for j in range(1, keys.shape[0]):
        if weights[j] > weights[best]:
            best = j
    return int(keys[best]) - 1


@njit(cache=True)
def _name_part(
    row: Row, users: NDArray[np.void], keys: NDArray[np.void], out: NDArray[np.int64]
) -> None:
    out[0] = _loudest(row.blame_user, row.blame_user_w)
    out[1] = users[out[0]].requests if out[0] >= 0 else 0
    out[2] = _loudest(row.blame_key, row.blame_key_w)
    out[3] = keys[out[2]].requests if out[2] >= 0 else 0


@njit(cache=True)
def name_parts(
    rows: NDArray[np.void], users: NDArray[np.void], keys: NDArray[np.void]
) -> NDArray[np.int64]:
    """End user and key that hold most of each row's evidence; see `apply_events`, `due_part`."""
    out = np.empty((rows.shape[0], 4), np.int64)
    for i in range(rows.shape[0]):
        _name_part(rows[i], users, keys, out[i])
    return out


@njit(cache=True)
def apply_events(
    rows: NDArray[np.void],
    index: NDArray[np.int64],
    users: NDArray[np.void],
    user_index: NDArray[np.int64],
    keys: NDArray[np.void],
    key_index: NDArray[np.int64],
    events: NDArray[np.void],
    event_ids: NDArray[np.uint8],
    pieces: NDArray[np.void],
    hashes: NDArray[np.uint64],
    new: NDArray[np.uint8],
    old: NDArray[np.uint32],
    slot: NDArray[np.int32],
    logits: NDArray[np.float32],
    sample: NDArray[np.uint64],
    n_sample: NDArray[np.int32],
    n_tokens: NDArray[np.int32],
    edges: NDArray[np.uint64],
    tag: NDArray[np.bool_],
    picked: NDArray[np.int64],
    said: NDArray[np.float32],
    due_rows: NDArray[np.void],
    due_event: NDArray[np.int32],
    due_why: NDArray[np.uint8],
    due_part: NDArray[np.int64],
    due_narrow: NDArray[np.void],
    due_narrow_event: NDArray[np.int32],
    due_narrow_scope: NDArray[np.uint8],
    due_narrow_total: NDArray[np.int64],
) -> tuple[int, int]:
    """Applies events in order; returns how many account and narrow rows were copied out.

    The due arrays receive a copy of the row as it is right after the event that made it due, but
    for its rings and the encoder's picks, which are at the batch's end by then and left out.
    `picked` (int64, ascending) are the pieces that were encoded, `said` (float32) what of them was
    said. `due_part` (int64, shape (n, 4)) receives the end user and the key that hold most of its
    evidence: row of the end user or -1, its requests, row of the key or -1, its requests.
    """
    z = np.zeros(diversity.DIMENSIONS, np.int32)
    n_due = 0
    n_narrow = 0
    n_encoded = 0
    for i in range(events.shape[0]):
        if index[i] < 0:
            continue
        row = rows[index[i]]
        e = events[i]
        first = row.requests == 0
        w = 1.0 if first else _weight(e.time_s, row.first_s)
        if first:
            row.next_point = np.uint32(FIRST_POINT)
            row.account = e.account
            row.topic_last = np.int16(-1)
        row.old_pieces += old[i, 0]
        row.old_known += old[i, 1]
        workload.update_event(row, e, w, pieces, hashes)
        if e.late == 0 or first:
            rate.update_event(row, e, w, first)
        clients.update_event(row, e)
        uses_tags = False
        grade = 0.0
        fresh = asked = cues = 0
        user_bytes = 0.0
        evidence = 0.0
        for p in range(e.piece0, e.piece1):
            role = pieces[p].role
            a = slot[p]
            if n_encoded < picked.shape[0] and picked[n_encoded] == p:
                encoder.update_piece(row, said[n_encoded])
                n_encoded += 1
            if role == SYSTEM and a >= 0:
                template.update_system(row, w, logits[a])
            if role == ASSISTANT or pieces[p].last_turn == 0 or role != USER:
                continue
            user_bytes += float(pieces[p].stop - pieces[p].start)
            if e.answered == 0:
                continue
            asked += 1
            diversity.update_asked(row, w, new[p] == 1)
            if a < 0:
                continue
            fresh += 1
            row.new_pieces += np.uint32(1)
            if intent.update_piece(row, w, logits[a], tag[a]):
                cues += 1
            frames.update_piece(
                row,
                edges[a],
                logits[a, EXTRACTION],
                logits[a, ELICIT] > 0.0,
                e.history == 0 and e.user_turns <= 1,
            )
            diversity.update_piece(row, w, sample[a], n_sample[a], n_tokens[a], z)
            uses_tags |= tag[a]
            grade = max(grade, sigmoid(logits[a, GRADE]))
            p_extract = sigmoid(logits[a, EXTRACTION])
            hit = sigmoid(logits[a, ELICIT]) >= CUE_PROBABILITY
            evidence += max(2.0 * p_extract - 1.0, 0.0) + (1.0 if hit else 0.0)
            _remember_exemplar(row, p_extract + (1.0 if hit else 0.0), event_ids[i])
        resample = asked > 0 and fresh == 0 and e.history == 0
        if e.answered != 0:
            harvest.update_event(row, e, w, fresh, resample, uses_tags, grade)
        if evidence > 0.0:
            clients.blame(row, np.uint32(user_index[i] + 1), np.uint32(key_index[i] + 1), evidence)
        for scope in range(2):
            at = user_index[i] if scope == 0 else key_index[i]
            if at < 0:
                continue
            short = users[at] if scope == 0 else keys[at]
            ws = 1.0 if short.requests == 0 else _weight(e.time_s, short.first_s)
            if short.requests == 0:
                short.next_point = np.uint32(FIRST_POINT)
                short.account = e.account
            for p in range(e.piece0, e.piece1):
                a = slot[p]
                if a >= 0 and pieces[p].role == USER and e.answered != 0:
                    narrow.update_piece(short, ws, logits[a], tag[a], n_tokens[a], edges[a, 0])
            narrow.update_event(short, e, ws, fresh, asked, resample, user_bytes)
            if short.requests >= short.next_point:
                short.next_point = np.uint32(next_point(short.requests))
                if (row.many_users if scope == 0 else row.many_keys) == 1:
                    due_narrow[n_narrow] = short
                    due_narrow_event[n_narrow] = np.int32(i)
                    due_narrow_scope[n_narrow] = np.uint8(scope)
                    due_narrow_total[n_narrow] = row.requests
                    n_narrow += 1
        total = row.cue_pieces
        fired = False
        for c in range(cues):  # after the 1st, 2nd, 4th, 8th … cue piece
            before = total - np.uint32(c)
            fired |= before & (before - np.uint32(1)) == 0
        if row.requests >= row.next_point or fired:
            due_why[n_due] = POINT if row.requests >= row.next_point else CUE
            if row.requests >= row.next_point:
                row.next_point = np.uint32(next_point(row.requests))
            due_rows[n_due] = row
            copied = due_rows[n_due]
            copied.ring[:] = np.uint32(0)
            copied.system_ring[:] = np.uint32(0)
            copied.ring_at = np.uint32(0)
            copied.system_at = np.uint32(0)
            encoder.hide_picks(copied)
            _name_part(row, users, keys, due_part[n_due])
            due_event[n_due] = np.int32(i)
            n_due += 1
    return n_due, n_narrow
