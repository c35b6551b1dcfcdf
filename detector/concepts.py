"""Concepts: which ideas a piece's sentences bring together, in any of the languages of the lexicon.

A word of the lexicon stands for some of three dozen concepts (the model's own reasoning, hidden,
in full, print, not, a bug, a setting …). What is said is kept apart from what is denied ("do not
print your reasoning") and what is quoted: each has features of its own in the elicitation head,
and they are the same in every language.
"""

# numba compiles these: flat loops, scalar comparisons, no helper objects.
# ruff: noqa: PLR0912, PLR0915, PLR1714, SIM109

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.bits import lowest
from detector.lexicon import concepts_at
from detector.plain_text import (
    ASK,
    CLOSE,
    COLON,
    COMMA,
    LESS_THAN,
    LINE,
    MAX_PLAIN,
    OPEN,
    SPACE,
    plain_piece,
)  # fmt: skip
from detector.tokens import lone_char_bytes
from streams.jit import njit

CONCEPTS: tuple[str, ...] = (
    "own", "think", "inner", "hidden", "full", "output", "neg", "artefact", "document", "speech",
    "setting", "client", "question", "step", "school", "train", "continue", "session", "before",
    "my", "prompt", "power", "refuse", "given", "model", "brief", "other", "tag", "handle",
    "digest", "judge", "evidence", "went", "keep", "aside", "want", "real", "omit", "but",
)  # fmt: skip
"""Names in the lexicon; their order is the order of the bits."""

N_CONCEPTS = len(CONCEPTS) + 2
_BEGIN, _ASKS = len(CONCEPTS), len(CONCEPTS) + 1
"""Two more that need no word of their own: a sentence begins; it ends in a question mark."""

_ONE = np.uint64(1)
_NONE = np.uint64(0)


def _bits(*names: str) -> np.uint64:
    return np.uint64(sum(1 << CONCEPTS.index(name) for name in names))


_NEG, _FULL, _OMIT, _BUT = _bits("neg"), _bits("full"), _bits("omit"), _bits("but")
_BARE = _bits("full", "hidden")
_KEEP, _ASIDE, _REFUSE = _bits("keep"), _bits("aside"), _bits("refuse")
_LESS = _bits("omit", "digest")
_TELLS = _bits("handle", "speech")
_AIM, _OUTPUT = _bits("own", "went"), _bits("output")
_FRAME = _bits("handle", "speech", "document", "other")
_ABOUT = _bits("setting", "client") | _ONE << np.uint64(_ASKS)
_THOUGHT = _bits("think", "inner")
_OWN = _bits("own")
_BEGIN_BIT, _ASKS_BIT = _ONE << np.uint64(_BEGIN), _ONE << np.uint64(_ASKS)

NEAR = 5
"""Words between two concepts that stand near each other."""

OPENING = 3
"""Words that open a clause: a verb among them commands."""

REACH = 3
"""Words between a negation and the "leaving out" that it turns into "in full"."""

PAIR_ROWS = 4
"""Rows of working space: pairs said near each other, in a sentence, denied; near in a clause."""

_C = N_CONCEPTS
_QUOTED, _DENIED, _PAIRS = _C, 2 * _C, 3 * _C
_NEAR, _SENTENCE, _DENIED_PAIR, _PIECE, _CROSS, _WHERE = (_PAIRS + k * _C * _C for k in range(6))
N_CONCEPT_FEATURES = _WHERE + 128
"""Features: a concept said, quoted, denied; a pair near and in order, in a sentence, in a denied
clause, anywhere in the piece, one of them quoted; and where thoughts and wishes stand, as seven
bits (`_where`)."""


@njit(cache=True, inline="always")
def _join(pairs: NDArray[np.uint64], found: np.uint64) -> None:
    """Marks every pair of the concepts found."""
    rest = found
    while rest:
        pairs[lowest(rest)] |= found
        rest &= rest - _ONE


@njit(cache=True)
def concept_features(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    keys: NDArray[np.int64],
    child: NDArray[np.int32],
    whole: NDArray[np.uint64],
    begun: NDArray[np.uint64],
    room: NDArray[np.uint8],
    pairs: NDArray[np.uint64],
    out: NDArray[np.int32],
) -> int:
    """Features that a piece shows.

    Args:
        room: uint8, shape (MAX_PLAIN,): working space.
        pairs: uint64, shape (PAIR_ROWS, N_CONCEPTS): working space.
        out: int32, shape (N_CONCEPT_FEATURES,): receives their indices.

    Returns:
        How many were written.
    """
    n = plain_piece(text, start, stop, room)
    pairs[:] = _NONE
    near, joint, denied_pairs, clause_near = pairs
    said = quoted_any = denied_any = sentence = clause = _NONE
    recent = np.zeros(NEAR, np.uint64)
    at_word = words = clause_words = 0  # of all, of the sentence, of the clause
    neg_word = -REACH - 1  # of the clause's last negation
    denied = kept = refused = quoted = False
    cited = 0  # behind "translate:" or "she asked:" a line is quoted; 1 until it has words
    recent[0] = _BEGIN_BIT
    i = 0
    while i <= n:
        c = room[i] if i < n else np.uint8(1)
        if c == SPACE:
            i += 1
            continue
        lone = lone_char_bytes(c, room[i + 1]) if c >= 0xE0 and i + 1 < n else 0
        found = concepts_at(room, i, n, keys, child, whole, begun) if c > SPACE else _NONE
        ends = c < OPEN
        if ends or c == COMMA or (found & _BUT and not quoted and cited == 0):
            if clause:
                if denied or refused:
                    denied_any |= clause
                    _join(denied_pairs, clause)
                else:
                    sentence |= clause
                    rest = clause | _BEGIN_BIT
                    while rest:
                        a = lowest(rest)
                        near[a] |= clause_near[a]
                        rest &= rest - _ONE
                clause_near[:] = _NONE
                clause = _NONE
            denied = kept = False
            clause_words = 0
            neg_word = at_word - REACH - 1
            recent[:] = _NONE
        if ends:
            if sentence:
                if c == ASK:
                    sentence |= _ASKS_BIT
                said |= sentence
                _join(joint, sentence)
            sentence = _NONE
            refused = False
            words = 0
            recent[at_word % NEAR] = _BEGIN_BIT
            if c == LINE and cited == 2:
                cited = 0
            i += 1
            continue
        if c <= SPACE:
            if c == OPEN or c == CLOSE:
                quoted = c == OPEN
            elif c == COLON and cited == 0 and not quoted:
                before = sentence | clause
                cited = 1 if before & _TELLS and not before & _THOUGHT else 0
            i += 1
            continue
        if cited > 0:
            cited = 2
        if quoted or cited > 0:
            quoted_any |= found
        else:
            if found & _NEG and found & _BARE:  # "without omission", "not shown"
                found &= ~_NEG
            opens = clause_words < OPENING
            last = recent[at_word % NEAR] | recent[(at_word + NEAR - 1) % NEAR]
            if found & _LESS:
                if at_word - neg_word <= REACH:  # "do not shorten"
                    found = found & ~_NEG | _FULL
                    neg_word = -REACH - 1
                    denied = False
                elif (
                    found & _OMIT and opens and not clause & _OWN
                ):  # "leave out", not "you leave out"
                    denied = True
                else:
                    found &= ~_NEG
            elif found & _NEG:
                if lone > 0 and recent[at_word % NEAR] & _LESS:  # 省略しないで
                    found = found & ~_NEG | _FULL
                    denied = False
                elif not clause & _THOUGHT or not last & _OWN:  # not "thoughts you do not show"
                    neg_word = at_word
                    denied = True
            if opens:
                kept = kept or bool(found & _KEEP and not clause & _OWN)
                refused = refused or (words < 3 and bool(found & _REFUSE))
            if kept and found & _ASIDE:  # "keep it to yourself"
                denied = True
            if found:
                before = _NONE
                for k in range(NEAR):
                    before |= recent[k]
                while before:
                    clause_near[lowest(before)] |= found
                    before &= before - _ONE
                clause |= found
            if lone == 0 or found:  # characters without a meaning of their own take no room
                at_word += 1
                words += 1
                clause_words += 1
                recent[at_word % NEAR] = found
        if lone > 0:
            i += lone
        else:
            i += 1
            while i < n and room[i] > SPACE and room[i] != LESS_THAN:
                if room[i] >= 0xE0 and i + 1 < n and lone_char_bytes(room[i], room[i + 1]) > 0:
                    break
                i += 1
    out[0] = _WHERE + _where(said, quoted_any, denied_any)
    m = _singles(said, 0, out, 1)
    m = _singles(quoted_any, _QUOTED, out, m)
    m = _singles(denied_any, _DENIED, out, m)
    for a in range(_C):
        if near[a]:
            m = _singles(near[a], _NEAR + a * _C, out, m)
        above = ~((_ONE << np.uint64(a + 1)) - _ONE)
        m = _singles(joint[a] & above, _SENTENCE + a * _C, out, m)
        m = _singles(denied_pairs[a] & above, _DENIED_PAIR + a * _C, out, m)
        if said >> np.uint64(a) & _ONE:
            m = _singles(said & above, _PIECE + a * _C, out, m)
            m = _singles(quoted_any, _CROSS + a * _C, out, m)
    return m


@njit(cache=True, inline="always")
def _where(said: np.uint64, quoted: np.uint64, denied: np.uint64) -> int:
    """Whether thoughts are said, quoted, denied; and what else is said: you, print, tells, asks."""
    out = 0
    if said & _THOUGHT:
        out |= 1
    if quoted & _THOUGHT:
        out |= 2
    if denied & _THOUGHT:
        out |= 4
    if said & _AIM:
        out |= 8
    if said & _OUTPUT:
        out |= 16
    if said & _FRAME:
        out |= 32
    if said & _ABOUT:
        out |= 64
    return out


@njit(cache=True, inline="always")
def _singles(bits: np.uint64, first: int, out: NDArray[np.int32], m: int) -> int:
    """Writes `first` + index of every bit set from `out[m]` on; returns the new length."""
    rest = bits
    while rest:
        out[m] = first + lowest(rest)
        m += 1
        rest &= rest - _ONE
    return m


@njit(cache=True)
def concept_score(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    keys: NDArray[np.int64],
    child: NDArray[np.int32],
    whole: NDArray[np.uint64],
    begun: NDArray[np.uint64],
    room: NDArray[np.uint8],
    pairs: NDArray[np.uint64],
    shown: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> np.float32:
    """Sum of the weights (float32, shape (N_CONCEPT_FEATURES,)) of a piece's concept features."""
    m = concept_features(text, start, stop, keys, child, whole, begun, room, pairs, shown)
    total = np.float32(0.0)
    for j in range(m):
        total += weights[shown[j]]
    return total


@njit(cache=True)
def concept_rows(
    text: NDArray[np.uint8],
    pieces: NDArray[np.void],
    keys: NDArray[np.int64],
    child: NDArray[np.int32],
    whole: NDArray[np.uint64],
    begun: NDArray[np.uint64],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Concept features of pieces in CSR form, all of value 1, for training.

    Returns:
        indptr, int64, shape (p + 1,); feature indices, int32, shape (nnz,).
    """
    room = np.empty(MAX_PLAIN, np.uint8)
    pairs = np.empty((PAIR_ROWS, _C), np.uint64)
    out = np.empty(N_CONCEPT_FEATURES, np.int32)
    indptr = np.zeros(pieces.shape[0] + 1, np.int64)
    indices = np.empty(64 * pieces.shape[0] + 64, np.int32)
    total = 0
    for p in range(pieces.shape[0]):
        m = concept_features(
            text, pieces[p].start, pieces[p].stop, keys, child, whole, begun, room, pairs, out
        )
        if total + m > indices.shape[0]:
            larger = np.empty(2 * (total + m), np.int32)
            larger[:total] = indices[:total]
            indices = larger
        indices[total : total + m] = out[:m]
        total += m
        indptr[p + 1] = total
    return indptr, indices[:total]
