"""Concepts: which ideas a piece's sentences bring together, in any of the languages of the lexicon.

A word of the lexicon stands for one of twenty-seven concepts (the model's own reasoning, hidden,
in full, print, not, a bug, a setting …). What a sentence joins outside quotation marks, what is
only quoted and what stands elsewhere in the piece are features of the elicitation head: "print"
beside "your reasoning" counts, "do not" before it, or quotation marks around it, count against it,
and they do so in every language alike.
"""

# numba compiles these: flat loops, scalar comparisons, no helper objects.
# ruff: noqa: PLR0912, PLR0915, PLR1714, SIM109

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.plain_text import ASK, CLOSE, LESS_THAN, MAX_PLAIN, OPEN, SPACE, plain, plain_piece
from detector.tokens import lone_char_bytes
from streams.jit import njit

CONCEPTS: tuple[str, ...] = (
    "own", "think", "inner", "hidden", "full", "output", "neg", "artefact", "document", "speech",
    "setting", "client", "question", "step", "school", "train", "continue", "session", "before",
    "my", "prompt", "power", "refuse", "given", "model", "brief", "other", "tag",
)  # fmt: skip
"""Names in the lexicon; their order is the order of the bits."""

N_CONCEPTS = len(CONCEPTS) + 4
_BEGIN, _ASKS, _WITHHOLD, _UNTHOUGHT = (len(CONCEPTS) + k for k in range(4))
"""Four more that need no word of their own: a sentence begins; it ends in a question mark; "do not
print"; "no reasoning"."""

_ONE = np.uint64(1)
_NEG = _ONE << np.uint64(CONCEPTS.index("neg"))
_OUTPUT = _ONE << np.uint64(CONCEPTS.index("output"))
_THOUGHT = _ONE << np.uint64(CONCEPTS.index("think")) | _ONE << np.uint64(CONCEPTS.index("inner"))
_WITHHOLD_BIT = _ONE << np.uint64(_WITHHOLD)
_UNTHOUGHT_BIT = _ONE << np.uint64(_UNTHOUGHT)

NEAR = 5
"""Words between two concepts that stand near each other."""

_C = N_CONCEPTS
_QUOTED, _SENTENCE, _NEAR, _PIECE, _CROSS, N_CONCEPT_FEATURES = (
    _C, 2 * _C, 2 * _C + _C * _C, 2 * _C + 2 * _C * _C, 2 * _C + 3 * _C * _C, 2 * _C + 4 * _C * _C,
)  # fmt: skip
"""Features: a concept in the piece, quoted; a pair in a sentence, near and in order, in the piece,
one of them quoted."""

_ROOT = np.int32(0)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words as a trie over bytes.

    Attributes:
        keys: int64, shape (2^k,): node << 8 | byte, or -1; open addressing.
        child: int32, shape (2^k,): the node that an edge leads to.
        whole: uint32, shape (nodes,): concepts of a word that ends here.
        begun: uint32, shape (nodes,): concepts of any word that begins so.
    """

    keys: NDArray[np.int64]
    child: NDArray[np.int32]
    whole: NDArray[np.uint32]
    begun: NDArray[np.uint32]


@njit(cache=True, inline="always")
def _slot(keys: NDArray[np.int64], key: int) -> int:
    """Where an edge is, or where it would go."""
    mask = np.uint64(keys.shape[0] - 1)
    at = (np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40) & mask
    while keys[at] != key and keys[at] >= 0:
        at = (at + np.uint64(1)) & mask
    return int(at)


def build_lexicon(words: Sequence[str], masks: Sequence[int]) -> Lexicon:
    """The trie of words; "*" at a word's end stands for any ending. Same words, same arrays."""
    blob = [w.removesuffix("*").encode("utf-8") for w in words]
    ends = np.cumsum([len(b) for b in blob]) if blob else np.zeros(0, np.int64)
    size = 1024
    while size < 2 * (int(ends[-1]) if len(ends) else 0):
        size *= 2
    keys, child = np.full(size, -1, np.int64), np.zeros(size, np.int32)
    whole, begun = np.zeros(size, np.uint32), np.zeros(size, np.uint32)
    open_ended = np.array([w.endswith("*") for w in words], np.bool_)
    buffer = np.frombuffer(b"".join(blob), np.uint8)
    nodes = _insert(
        buffer, ends.astype(np.int64), open_ended, np.array(masks, np.uint32), keys, child, whole,
        begun,
    )  # fmt: skip
    while size > 1024 and 2 * nodes <= size // 2:  # words share beginnings: pack the edges again
        size //= 2
    packed, to = np.full(size, -1, np.int64), np.zeros(size, np.int32)
    _pack(keys, child, packed, to)
    return Lexicon(packed, to, whole[:nodes].copy(), begun[:nodes].copy())


@njit(cache=True)
def _pack(
    keys: NDArray[np.int64], child: NDArray[np.int32], packed: NDArray[np.int64],
    to: NDArray[np.int32],
) -> None:  # fmt: skip
    for i in range(keys.shape[0]):
        if keys[i] >= 0:
            at = _slot(packed, keys[i])
            packed[at], to[at] = keys[i], child[i]


@njit(cache=True)
def _insert(
    buffer: NDArray[np.uint8],
    ends: NDArray[np.int64],
    open_ended: NDArray[np.bool_],
    masks: NDArray[np.uint32],
    keys: NDArray[np.int64],
    child: NDArray[np.int32],
    whole: NDArray[np.uint32],
    begun: NDArray[np.uint32],
) -> int:
    nodes = 1
    word = np.empty(MAX_PLAIN, np.uint8)
    start = 0
    for w in range(ends.shape[0]):
        n = plain(buffer, start, ends[w], word, 0)
        start = ends[w]
        while n > 0 and word[n - 1] <= SPACE:
            n -= 1
        if n == 0:
            continue
        node = _ROOT
        for i in range(n):
            at = _slot(keys, (int(node) << 8) | int(word[i]))
            if keys[at] < 0:
                keys[at] = (int(node) << 8) | int(word[i])
                child[at] = nodes
                nodes += 1
            node = child[at]
        lone = n >= 3 and lone_char_bytes(word[n - 3], word[n - 2]) == 3
        if open_ended[w] or lone:
            begun[node] |= masks[w]
        else:
            whole[node] |= masks[w]
    return nodes


@njit(cache=True, inline="always")
def _concepts_at(
    plain_text: NDArray[np.uint8],
    i: int,
    n: int,
    keys: NDArray[np.int64],
    child: NDArray[np.int32],
    whole: NDArray[np.uint32],
    begun: NDArray[np.uint32],
) -> np.uint32:
    """Concepts of all words of the lexicon that stand at a word's start."""
    found = np.uint32(0)
    node = _ROOT
    while i < n:
        key = (int(node) << 8) | int(plain_text[i])
        at = _slot(keys, key)
        if keys[at] != key:
            break
        node = child[at]
        found |= begun[node]
        i += 1
        if whole[node] != 0 and (i >= n or plain_text[i] <= SPACE or plain_text[i] >= 0xE3):
            found |= whole[node]
    return found


@njit(cache=True)
def concept_features(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    keys: NDArray[np.int64],
    child: NDArray[np.int32],
    whole: NDArray[np.uint32],
    begun: NDArray[np.uint32],
    room: NDArray[np.uint8],
    pairs: NDArray[np.uint64],
    out: NDArray[np.int32],
) -> int:
    """Features that a piece shows.

    Args:
        room: uint8, shape (MAX_PLAIN,): working space.
        pairs: uint64, shape (2, N_CONCEPTS): working space.
        out: int32, shape (N_CONCEPT_FEATURES,): receives their indices in rising order of kind.

    Returns:
        How many were written.
    """
    n = plain_piece(text, start, stop, room)
    pairs[:] = np.uint64(0)
    near, joint = pairs[0], pairs[1]
    one = _ONE
    every = quoted_any = sentence = np.uint64(0)
    recent = np.zeros(NEAR, np.uint64)
    at_word = 0
    quoted = False
    recent[0] = one << np.uint64(_BEGIN)
    i = 0
    while i <= n:
        c = room[i] if i < n else np.uint8(1)
        if c == OPEN or c == CLOSE:
            quoted = c == OPEN
            i += 1
            continue
        if c < OPEN:
            if c == ASK and sentence != 0:
                sentence |= one << np.uint64(_ASKS)
            every |= sentence
            for a in range(_C):
                if sentence >> np.uint64(a) & one:
                    joint[a] |= sentence
            sentence = np.uint64(0)
            recent[:] = np.uint64(0)
            recent[at_word] = one << np.uint64(_BEGIN)
            i += 1
            continue
        if c == SPACE:
            i += 1
            continue
        lone = lone_char_bytes(c, room[i + 1]) if c >= 0xE0 and i + 1 < n else 0
        found = np.uint64(_concepts_at(room, i, n, keys, child, whole, begun))
        if quoted:
            quoted_any |= found
        else:
            if found != 0:
                last = recent[at_word] | recent[(at_word + NEAR - 1) % NEAR]
                if found & _OUTPUT and last & _NEG:
                    found = found & ~_OUTPUT | _WITHHOLD_BIT
                if found & _THOUGHT and last & _NEG:
                    found |= _UNTHOUGHT_BIT
                if found & _NEG and lone > 0 and last & _OUTPUT:  # 書かないで, 적지 말고
                    found |= _WITHHOLD_BIT
                before = np.uint64(0)
                for k in range(NEAR):
                    before |= recent[k]
                for a in range(_C):
                    if before >> np.uint64(a) & one:
                        near[a] |= found
                sentence |= found
            if lone == 0 or found != 0:  # characters without a meaning of their own take no room
                at_word = (at_word + 1) % NEAR
                recent[at_word] = found
        if lone > 0:
            i += lone
        else:
            i += 1
            while i < n and room[i] > SPACE and room[i] != LESS_THAN:
                if room[i] >= 0xE0 and i + 1 < n and lone_char_bytes(room[i], room[i + 1]) > 0:
                    break
                i += 1
    m = 0
    for a in range(_C):
        has = every >> np.uint64(a) & one
        if has:
            out[m] = a
            m += 1
        if quoted_any >> np.uint64(a) & one:
            out[m] = _QUOTED + a
            m += 1
        if not has and near[a] == 0:
            continue
        for b in range(_C):
            bit = np.uint64(b)
            if b > a and joint[a] >> bit & one:
                out[m] = _SENTENCE + a * _C + b
                m += 1
            if near[a] >> bit & one:
                out[m] = _NEAR + a * _C + b
                m += 1
            if has and b > a and every >> bit & one:
                out[m] = _PIECE + a * _C + b
                m += 1
            if has and quoted_any >> bit & one:
                out[m] = _CROSS + a * _C + b
                m += 1
    return m


@njit(cache=True)
def concept_score(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    keys: NDArray[np.int64],
    child: NDArray[np.int32],
    whole: NDArray[np.uint32],
    begun: NDArray[np.uint32],
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
    whole: NDArray[np.uint32],
    begun: NDArray[np.uint32],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Concept features of pieces in CSR form, all of value 1, for training.

    Returns:
        indptr, int64, shape (p + 1,); feature indices, int32, shape (nnz,).
    """
    room = np.empty(MAX_PLAIN, np.uint8)
    pairs = np.empty((2, _C), np.uint64)
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
