"""Which link keys an account has shown: slots in its row, and the sightings that are due.

A slot holds one key with its count and the smallest hashes of what was asked under it (bottom-k
sketch, Broder 1997: accounts that ask the same items show the same hashes). A key is told when it
is first shown within the account's first requests, when it is shown again, and each time its count
has doubled; at most MAX_AN_HOUR times an account and hour. Everything is applied in log order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.features.row import Row
from detector.intents import EXTRACTION
from detector.links import KINDS, continuity, pacing, parameters, signup, system, template, tools
from streams.columns import SYSTEM, TOOLS, USER
from streams.jit import njit

SLOTS = 10
ITEMS = 4
FIRST_REQUESTS = 3
MAX_AN_HOUR = 16
MOST_COMMON_AN_HOUR = 10
"""Some are kept for keys that are seldom shown, and then say much."""

FIELDS = [
    ("link_key", "u8", (SLOTS,)),
    ("link_first_s", "f8"),
    ("link_items", "u4", (SLOTS * ITEMS,)),  # ascending in each slot, 0 where there is none
    ("link_count", "u4", (SLOTS,)),
    ("link_next", "u4", (SLOTS,)),  # count at which the key is told next
    ("link_new", "u4", (SLOTS,)),  # new items under the key
    ("link_requests", "u4"),
    ("link_one_shot", "u4"),
    ("link_foreign", "u4"),
    ("link_failed", "u4"),  # failed attempts since the last answered one
    ("link_hour", "u4"),
    ("link_p", "f4"),  # p-value of the last scoring; 0: none yet
    ("link_kind", "u1", (SLOTS,)),
    ("link_at", "u1"),  # slot looked at first for a new key
    ("link_told", "u1"),  # sightings in `link_hour`
    ("link_api_keys", "u1"),  # one bit for each of 8 classes of API keys used
    ("link_text", "f4"),  # sum of the extraction logits of new user pieces
    ("link_texts", "u4"),  # how many of them
    ("link_system", "f4"),  # extraction logit of the last new system prompt
    ("link_systems", "u4"),  # how many of them
    *pacing.FIELDS,
]

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

MOST_A_REQUEST = 10
TOLD_FAILURES = 2
"""Failed attempts in a row after which an account is told once more: it may have been blocked."""
_U32 = np.uint64(0xFFFFFFFF)


@njit(cache=True)
def _keep_item(items: NDArray[np.uint32], first: int, item: np.uint32) -> None:
    """Puts an item's hash among the smallest of a slot."""
    if item == 0:
        return
    last = first + ITEMS
    at = first
    while at < last and items[at] != 0 and items[at] < item:
        at += 1
    if at == last or items[at] == item:
        return
    for j in range(last - 1, at, -1):
        items[j] = items[j - 1]
    items[at] = item


@njit(cache=True)
def _show(row: Row, kind: int, key: np.uint64, item: np.uint32, new: bool) -> int:
    """Counts one key; the slot to be told of, or -1."""
    at = -1
    start = int(row.link_at)
    least = start
    for k in range(SLOTS):  # from the slot after the last one taken: of equals the oldest goes
        j = (start + k) % SLOTS
        if row.link_key[j] == key and row.link_count[j] > 0:
            at = j
        if row.link_count[j] < row.link_count[least]:
            least = j
    if at < 0:
        at = least
        row.link_at = np.uint8((at + 1) % SLOTS)
        row.link_key[at] = key
        row.link_kind[at] = np.uint8(kind)
        row.link_count[at] = np.uint32(0)
        row.link_new[at] = np.uint32(0)
        row.link_next[at] = np.uint32(1 if row.link_requests <= FIRST_REQUESTS else 2)
        for j in range(ITEMS):
            row.link_items[at * ITEMS + j] = np.uint32(0)
    row.link_count[at] += np.uint32(1)
    if new:
        row.link_new[at] += np.uint32(1)
        _keep_item(row.link_items, at * ITEMS, item)
    if row.link_count[at] < row.link_next[at]:
        return -1
    row.link_next[at] = np.uint32(2) * row.link_count[at]
    if row.link_count[at] == 2:
        row.link_next[at] = np.uint32(3)
    return at


@njit(cache=True)
def _tell(row: Row, at: int, event: int, hour: np.uint32, out: NDArray[np.void], n: int) -> int:
    """Writes a sighting of slot `at` unless the hour is full; how many there are now."""
    if row.link_hour != hour:
        row.link_hour = hour
        row.link_told = np.uint8(0)
    rare = row.link_kind[at] == PACING or row.link_kind[at] == HANDOVER
    if row.link_told >= (MAX_AN_HOUR if rare else MOST_COMMON_AN_HOUR):
        row.link_next[at] = row.link_count[at] + np.uint32(1)  # as soon as the hour allows
        return n
    row.link_told += np.uint8(1)
    told = out[n]
    told.key = row.link_key[at]
    told.kind = row.link_kind[at]
    told.event = np.int32(event)
    told.first_s = row.link_first_s
    told.requests = row.link_requests
    told.one_shot = row.link_one_shot
    told.under = row.link_count[at]
    told.foreign = row.link_foreign
    told.failed = row.link_failed
    told.n_items = row.link_new[at]
    told.api_keys = row.link_api_keys
    told.text = row.link_text / row.link_texts if row.link_texts > 0 else np.float32(np.nan)
    told.system = row.link_system if row.link_systems > 0 else np.float32(np.nan)
    told.pause = row.pace_mean if row.pace_n > 0 else np.float32(np.nan)
    told.pause_spread = np.float32(np.nan)
    if row.pace_n > 1:
        told.pause_spread = np.float32(np.sqrt(row.pace_m2 / (row.pace_n - 1)))
    for j in range(ITEMS):
        told.items[j] = row.link_items[at * ITEMS + j]
    return n + 1


@njit(cache=True)
def _loudest(row: Row) -> int:
    """Slot of the key that was shown most."""
    best = 0
    for j in range(1, SLOTS):
        if row.link_count[j] > row.link_count[best]:
            best = j
    return best


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
        out: SEEN, shape (>= MOST_A_REQUEST · n,), receives the sightings that are due.

    Returns:
        How many there are.
    """
    n = 0
    tokens = np.empty(template.HEAD_BYTES, np.uint64)
    stems = np.empty(template.HEAD_BYTES, np.uint64)
    keys = np.zeros(MOST_A_REQUEST, np.uint64)
    kinds = (
        OPENING,
        CLOSING,
        SYSTEM_KEY,
        TOOLS_KEY,
        PARAMETERS,
        CONTINUITY,
        PACING,
        PACING,
        SIGNUP,
        HANDOVER,
    )
    for i in range(events.shape[0]):
        if index[i] < 0:
            continue
        row = rows[index[i]]
        e = events[i]
        hour = np.uint32(e.time_s / 3600.0)
        if e.answered == 0:
            row.link_failed += np.uint32(1)
            if row.link_failed == TOLD_FAILURES and row.link_requests > 0:
                n = _tell(row, _loudest(row), i, hour, out, n)
            continue
        row.link_failed = np.uint32(0)
        first = row.link_requests == 0
        if first:
            row.link_first_s = e.time_s
        row.link_requests += np.uint32(1)
        if e.history == 0 and e.user_turns <= 1:
            row.link_one_shot += np.uint32(1)
        if e.key != 0:
            row.link_api_keys |= np.uint8(1) << np.uint8(e.key & np.uint64(7))
        foreign = not first and e.history == 1 and old[i, 0] > 0 and old[i, 1] == 0
        if foreign:
            row.link_foreign += np.uint32(1)
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
                    row.link_systems += np.uint32(1)
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
                        row.link_text += logits[slot[p], EXTRACTION]
                        row.link_texts += np.uint32(1)
        keys[4] = parameters.parameters_key(e)
        if foreign and root >= 0:
            keys[5] = continuity.continuity_key(hashes[root])
            edge = template.opening_edge(text, pieces[root].start, pieces[root].stop, tokens, stems)
            keys[0] = template.opening_key(edge, keys[2])
        if (e.late == 0 or first) and pacing.update(row, e.time_s, first):
            keys[6] = pacing.pacing_key(row, 0)
            keys[7] = pacing.pacing_key(row, 1)
        if foreign:
            keys[9] = continuity.handover_key(keys[4])
        keys[8] = signup.signup_key(e.created_s)
        for k in range(MOST_A_REQUEST):
            if keys[k] != 0:
                at = _show(row, kinds[k], keys[k], item, fresh)
                if at >= 0:
                    n = _tell(row, at, i, hour, out, n)
    return n
