"""Which link keys an account has shown: slots in its row, and the sightings that are due.

A slot holds one key with its count. A key is told when it is first shown within the account's
first requests, when it is shown again, and each time its count has about doubled; at most
MAX_AN_HOUR times an account and hour. Of what the account asks in its first requests, and later
under words that it used before, the smallest hashes are kept (bottom-k sketch, Broder 1997:
accounts that ask the same items show the same hashes). Everything is applied in log order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features.row import Row
from detector.intents import EXTRACTION
from detector.links import KINDS, continuity, pacing, parameters, signup, system, template, tools
from streams.columns import SYSTEM, TOOLS, USER
from streams.jit import njit

SLOTS = 9
ITEMS = 4
FIRST_REQUESTS = 3
STAGES = (1, 2, 3, 6, 12, 24, 48, 96, 192, 384, 768, 1536, 3072, 6144, 12288, 24576, 49152)
"""Counts at which a key is told."""
_LARGEST = np.uint16(65_535)
MAX_AN_HOUR = 16
MOST_COMMON_AN_HOUR = 10
"""Some are kept for keys that are seldom shown, and then say much."""

FIELDS = [
    ("link_key", "u4", (SLOTS,)),  # low half of a link key
    ("link_items", "u4", (ITEMS,)),  # ascending, 0 where there is none
    ("link_requests", "u4"),
    ("link_p", "f4"),  # p-value of the last scoring; 0: none yet
    ("link_text", "f4"),  # mean extraction logit of new user pieces
    ("link_system", "f4"),  # extraction logit of the last new system prompt
    *pacing.FIELDS,
    ("link_count", "u2", (SLOTS,)),
    ("link_texts", "u2"),  # how many pieces are in `link_text`
    ("link_new", "u2"),  # items taken into account
    ("link_one_shot", "u2"),
    ("link_foreign", "u2"),
    ("link_hour", "u2"),  # hour of the last sighting, modulo 65,536
    ("link_stage", "u1", (SLOTS,)),  # which of STAGES the key is told at next
    ("link_failed", "u1"),  # failed attempts since the last answered one
    ("link_told", "u1"),  # sightings in `link_hour`
    ("link_at", "u1"),  # slot looked at first for a new key
    ("link_api_keys", "u1"),  # one bit for each of 8 classes of API keys used
    ("link_systems", "u1"),  # whether `link_system` is set
]
"""At most 144 bytes; counts stop at their largest value."""

SEEN = np.dtype(
    [
        ("key", "u8"),
        ("first_s", "f8"),
        ("event", "i4"),
        ("requests", "u4"),
        ("one_shot", "u4"),
        ("under", "u4"),
        ("foreign", "u4"),
        ("failed", "u4"),
        ("n_items", "u4"),
        ("items", "u4", (ITEMS,)),
        ("text", "f4"),
        ("system", "f4"),
        ("pause", "f4"),
        ("pause_spread", "f4"),
        ("api_keys", "u1"),
        ("kind", "u1"),
    ],
    align=True,
)
"""A sighting that is due, as the row stood after its event; NaN where unknown."""

OPENING, CLOSING = (KINDS.index(k) for k in template.KINDS)
SYSTEM_KEY = KINDS.index("system")
TOOLS_KEY = KINDS.index("tools")
PARAMETERS = KINDS.index("parameters")
CONTINUITY, HANDOVER = (KINDS.index(k) for k in continuity.KINDS)
PACING = KINDS.index("pacing")
SIGNUP = KINDS.index("signup")

MOST_A_REQUEST = 9
MOST_SIGHTINGS = MOST_A_REQUEST + 1
TOLD_FAILURES = 2
"""Failed attempts in a row after which an account is told once more: it may have been blocked."""
_U32 = np.uint64(0xFFFFFFFF)


@njit(cache=True)
def _keep_item(items: NDArray[np.uint32], item: np.uint32) -> None:
    """Puts an item's hash among the smallest."""
    at = 0
    while at < ITEMS and items[at] != 0 and items[at] < item:
        at += 1
    if item == 0 or at == ITEMS or items[at] == item:
        return
    for j in range(ITEMS - 1, at, -1):
        items[j] = items[j - 1]
    items[at] = item


@njit(cache=True)
def _stage(count: int) -> int:
    """How many of STAGES a count has reached."""
    n = 0
    while n < len(STAGES) and STAGES[n] <= count:
        n += 1
    return n


@njit(cache=True)
def _show(row: Row, key: np.uint64) -> int:
    """Counts one key; its slot."""
    short = np.uint32(key & _U32)
    at = -1
    start = int(row.link_at)
    least = start
    for k in range(SLOTS):  # from the slot after the last one taken: of equals the oldest goes
        j = (start + k) % SLOTS
        if row.link_key[j] == short and row.link_count[j] > 0:
            at = j
        if row.link_count[j] < row.link_count[least]:
            least = j
    if at < 0:
        at = least
        row.link_at = np.uint8((at + 1) % SLOTS)
        row.link_key[at] = short
        row.link_count[at] = np.uint16(0)
        row.link_stage[at] = np.uint8(0 if row.link_requests <= FIRST_REQUESTS else 1)
    if row.link_count[at] < _LARGEST:
        row.link_count[at] += np.uint16(1)
    return at


@njit(cache=True)
def _room(row: Row, kind: int, hour: np.uint16) -> bool:
    """Whether the hour has room for a sighting of that kind; it is then taken."""
    if row.link_hour != hour:
        row.link_hour = hour
        row.link_told = np.uint8(0)
    rare = kind == PACING or kind == HANDOVER
    if row.link_told >= (MAX_AN_HOUR if rare else MOST_COMMON_AN_HOUR):
        return False
    row.link_told += np.uint8(1)
    return True


@njit(cache=True)
def _tell(row: Row, kind: int, key: np.uint64, under: int, event: int, told: Row) -> None:
    """Writes a sighting."""
    told.key = key
    told.kind = np.uint8(kind)
    told.event = np.int32(event)
    told.first_s = row.first_s
    told.requests = row.link_requests
    told.one_shot = row.link_one_shot
    told.under = np.uint32(under)
    told.foreign = row.link_foreign
    told.failed = row.link_failed
    told.n_items = row.link_new
    told.api_keys = row.link_api_keys
    told.text = row.link_text if row.link_texts > 0 else np.float32(np.nan)
    told.system = row.link_system if row.link_systems > 0 else np.float32(np.nan)
    told.pause = row.pace_mean if row.pace_n > 0 else np.float32(np.nan)
    told.pause_spread = np.float32(np.nan)
    if row.pace_n > 1:
        told.pause_spread = np.float32(np.sqrt(row.pace_m2 / (row.pace_n - 1)))
    for j in range(ITEMS):
        told.items[j] = row.link_items[j]


@njit(cache=True)
def see(
    rows: NDArray[np.void],
    index: NDArray[np.int64],
    events: NDArray[np.void],
    text: NDArray[np.uint8],
    pieces: NDArray[np.void],
    hashes: NDArray[np.uint64],
    new: NDArray[np.uint8],
    old: NDArray[np.uint32],
    slot: NDArray[np.int32],
    logits: NDArray[np.float32],
    edges: NDArray[np.uint64],
    out: NDArray[np.void],
) -> int:
    """Applies answered events in order.

    Args:
        index, pieces, hashes, new, old: as in `kernels.mark_new`; text: their bytes.
        slot, logits, edges: as in `cues.PieceReadings`.
        out: SEEN, shape (>= MOST_SIGHTINGS · n,), receives the sightings that are due.

    Returns:
        How many there are.
    """
    n = 0
    tokens = np.empty(template.HEAD_BYTES, np.uint64)
    stems = np.empty(template.HEAD_BYTES, np.uint64)
    keys = np.zeros(MOST_A_REQUEST, np.uint64)
    kinds = (
        OPENING, CLOSING, SYSTEM_KEY, TOOLS_KEY, PARAMETERS, CONTINUITY, PACING, PACING, HANDOVER,
    )  # fmt: skip
    for i in range(events.shape[0]):
        if index[i] < 0:
            continue
        row = rows[index[i]]
        e = events[i]
        hour = np.uint16(np.int64(e.time_s / 3600.0) & 0xFFFF)
        if e.answered == 0:
            if row.link_failed <= TOLD_FAILURES:
                row.link_failed += np.uint8(1)
            key = parameters.parameters_key(e)
            told_now = row.link_failed == TOLD_FAILURES and row.link_requests > 0 and key != 0
            if told_now and _room(row, PARAMETERS, hour):
                _tell(row, PARAMETERS, key, 0, i, out[n])
                n += 1
            continue
        row.link_failed = np.uint8(0)
        first = row.link_requests == 0
        row.link_requests += np.uint32(1)
        if e.history == 0 and e.user_turns <= 1:
            row.link_one_shot += np.uint16(row.link_one_shot < _LARGEST)
        if e.key != 0:
            row.link_api_keys |= np.uint8(1) << np.uint8(e.key & np.uint64(7))
        foreign = not first and e.history == 1 and old[i, 0] > 0 and old[i, 1] == 0
        if foreign:
            row.link_foreign += np.uint16(row.link_foreign < _LARGEST)
        keys[:] = np.uint64(0)
        item = np.uint32(0)
        fresh = False
        root = -1
        for p in range(e.piece0, e.piece1):
            role = pieces[p].role
            if role == SYSTEM and keys[2] == 0:
                keys[2] = system.system_key(text, pieces[p].start, pieces[p].stop, tokens, stems)
                if slot[p] >= 0:
                    row.link_system = logits[slot[p], EXTRACTION]
                    row.link_systems = np.uint8(1)
            elif role == TOOLS:
                keys[3] = tools.tools_key(hashes[p])
            elif role == USER and pieces[p].last_turn == 0:
                if root < 0:
                    root = p
            elif role == USER:
                item = np.uint32(hashes[p] & _U32)
                if new[p] == 1:
                    fresh = True
                    if slot[p] >= 0:
                        keys[0] = template.opening_key(edges[slot[p], 0], keys[2])
                        keys[1] = template.closing_key(edges[slot[p], 1])
                        row.link_texts += np.uint16(row.link_texts < _LARGEST)
                        away = logits[slot[p], EXTRACTION] - row.link_text
                        row.link_text += np.float32(away / row.link_texts)
        keys[4] = parameters.parameters_key(e)
        if foreign and root >= 0:
            keys[5] = continuity.continuity_key(hashes[root])
            edge = template.opening_edge(text, pieces[root].start, pieces[root].stop, tokens, stems)
            keys[0] = template.opening_key(edge, keys[2])
        if (e.late == 0 or first) and pacing.update(row, e.time_s, first):
            keys[6] = pacing.pacing_key(row, 0)
            keys[7] = pacing.pacing_key(row, 1)
        if foreign:
            keys[8] = continuity.handover_key(keys[4])
        seen_before = False
        for k in range(MOST_A_REQUEST):
            if keys[k] == 0:
                continue
            at = _show(row, keys[k])
            seen_before |= k < 2 and row.link_count[at] > 1
            if k == 1 and fresh and (seen_before or row.link_requests <= FIRST_REQUESTS):
                row.link_new += np.uint16(row.link_new < _LARGEST)
                _keep_item(row.link_items, item)
            stage = _stage(row.link_count[at])
            if stage > row.link_stage[at] and _room(row, kinds[k], hour):
                row.link_stage[at] = np.uint8(stage)
                _tell(row, kinds[k], keys[k], row.link_count[at], i, out[n])
                n += 1
        made = signup.signup_key(e.created_s)
        tells = row.link_requests == 1 or row.link_requests == FIRST_REQUESTS
        if made != 0 and tells and _room(row, SIGNUP, hour):
            _tell(row, SIGNUP, made, row.link_requests, i, out[n])
            n += 1
    return n
