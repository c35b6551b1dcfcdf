"""Which pieces are worth reading for their concepts: a look at n-grams that are there anyway.

Reading concepts takes several times as long as the rest of the cue model, so a piece must first
show, among its n-gram hashes, words of concepts that go together in requests for reasoning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.bits import lowest
from detector.fingerprint import ngrams
from detector.tokens import MAX_TOKENS, read_tokens
from streams.jit import njit

FILTER_BITS = 1 << 17
_KEYS = 1 << 15
_ONE = np.uint64(1)


@dataclass(frozen=True, slots=True)
class GateTable:
    """N-gram hashes that speak for concepts.

    Attributes:
        filter: uint8, shape (FILTER_BITS / 8,): a bit for the low bits of each hash.
        keys: uint64, shape (2^k,): hashes, 0 where empty; open addressing.
        masks: uint64, shape (2^k,): the concepts of each.
    """

    filter: NDArray[np.uint8]
    keys: NDArray[np.uint64]
    masks: NDArray[np.uint64]


def build_gate(grams: Mapping[int, int]) -> GateTable:
    """The table of n-gram hashes and their concepts; same mapping, same arrays."""
    size = _KEYS
    while size < 2 * len(grams):
        size *= 2
    table = GateTable(
        np.zeros(FILTER_BITS // 8, np.uint8), np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    )
    order = sorted(grams)
    _fill(
        np.array(order, np.uint64), np.array([grams[g] for g in order], np.uint64), table.filter,
        table.keys, table.masks,
    )  # fmt: skip
    return table


@njit(cache=True)
def _fill(
    grams: NDArray[np.uint64], values: NDArray[np.uint64], bits: NDArray[np.uint8],
    keys: NDArray[np.uint64], masks: NDArray[np.uint64],
) -> None:  # fmt: skip
    last = np.uint64(keys.shape[0] - 1)
    for i in range(grams.shape[0]):
        low = grams[i] & np.uint64(FILTER_BITS - 1)
        bits[low >> np.uint64(3)] |= np.uint8(1 << (low & np.uint64(7)))
        at = grams[i] >> np.uint64(20) & last
        while keys[at] != 0:
            at = (at + np.uint64(1)) & last
        keys[at], masks[at] = grams[i], values[i]


@njit(cache=True)
def gate_mask(
    grams: NDArray[np.uint64], m: int, bits: NDArray[np.uint8], keys: NDArray[np.uint64],
    masks: NDArray[np.uint64],
) -> np.uint64:  # fmt: skip
    """Concepts that m n-gram hashes speak for, as bits."""
    last = np.uint64(keys.shape[0] - 1)
    found = np.uint64(0)
    for j in range(m):
        g = grams[j]
        low = g & np.uint64(FILTER_BITS - 1)
        if not bits[low >> np.uint64(3)] >> np.uint8(low & np.uint64(7)) & np.uint8(1):
            continue
        at = g >> np.uint64(20) & last
        while keys[at] != 0:
            if keys[at] == g:
                found |= masks[at]
                break
            at = (at + np.uint64(1)) & last
    return found


@njit(cache=True, inline="always")
def gate_score(mask: np.uint64, pairs: NDArray[np.float32]) -> np.float32:
    """Sum over the mask's concepts and pairs of them; `pairs` has single concepts on its diagonal.

    Args:
        pairs: float32, shape (len(CONCEPTS), len(CONCEPTS)), upper triangle.
    """
    total = np.float32(0.0)
    above = mask
    while above != 0:
        a = lowest(above)
        rest = above
        while rest != 0:
            total += pairs[a, lowest(rest)]
            rest &= rest - _ONE
        above &= above - _ONE
    return total


@njit(cache=True)
def gate_masks(
    text: NDArray[np.uint8], pieces: NDArray[np.void], bits: NDArray[np.uint8],
    keys: NDArray[np.uint64], masks: NDArray[np.uint64],
) -> NDArray[np.uint64]:  # fmt: skip
    """`gate_mask` of whole pieces, shape (p,), for training."""
    tokens, stems = np.empty(MAX_TOKENS, np.uint64), np.empty(MAX_TOKENS, np.uint64)
    pairs, grams = np.empty(MAX_TOKENS, np.uint64), np.empty(5 * MAX_TOKENS + 8, np.uint64)
    out = np.zeros(pieces.shape[0], np.uint64)
    for p in range(pieces.shape[0]):
        n = read_tokens(text, pieces[p].start, pieces[p].stop, tokens, stems)
        out[p] = gate_mask(grams, ngrams(tokens, stems, n, pairs, grams), bits, keys, masks)
    return out
