"""The lexicon: words of many languages and the concepts they stand for, as a trie over bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.plain_text import MAX_PLAIN, SPACE, plain
from detector.tokens import lone_char_bytes
from streams.jit import njit

_ROOT = np.int32(0)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words as a trie over bytes.

    Attributes:
        keys: int64, shape (2^k,): node << 8 | byte, or -1; open addressing.
        child: int32, shape (2^k,): the node that an edge leads to.
        whole: uint64, shape (nodes,): concepts of a word that ends here.
        begun: uint64, shape (nodes,): concepts of any word that begins so.
    """

    keys: NDArray[np.int64]
    child: NDArray[np.int32]
    whole: NDArray[np.uint64]
    begun: NDArray[np.uint64]


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
    whole, begun = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    open_ended = np.array([w.endswith("*") for w in words], np.bool_)
    buffer = np.frombuffer(b"".join(blob), np.uint8)
    nodes = _insert(
        buffer, ends.astype(np.int64), open_ended, np.array(masks, np.uint64), keys, child, whole,
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
    masks: NDArray[np.uint64],
    keys: NDArray[np.int64],
    child: NDArray[np.int32],
    whole: NDArray[np.uint64],
    begun: NDArray[np.uint64],
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
def concepts_at(
    plain_text: NDArray[np.uint8],
    i: int,
    n: int,
    keys: NDArray[np.int64],
    child: NDArray[np.int32],
    whole: NDArray[np.uint64],
    begun: NDArray[np.uint64],
) -> np.uint64:
    """Concepts of all words of the lexicon that stand at a word's start."""
    found = np.uint64(0)
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
