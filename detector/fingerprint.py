"""Fingerprints of text pieces: exact hashes, and the n-grams that everything else reads.

All kernels run over the one text buffer of a batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.hashing import K1, K2, S29, SEED, combine, mix
from detector.tokens import LONE, MAX_TOKENS, read_tokens
from streams.columns import USER
from streams.jit import njit

_S8 = np.uint64(8)
_ONE = np.uint64(1)


@njit(cache=True)
def hash_pieces(text: NDArray[np.uint8], pieces: NDArray[np.void]) -> NDArray[np.uint64]:
    """64-bit hash of (role, text without outer white space) of each piece; shape (p,).

    Eight bytes at a time: replayed history is hashed whole in every request, so this loop is
    the one that sees every byte.
    """
    out = np.empty(pieces.shape[0], np.uint64)
    for p in range(pieces.shape[0]):
        a, b = pieces[p].start, pieces[p].stop
        while a < b and text[a] <= 32:
            a += 1
        while b > a and text[b - 1] <= 32:
            b -= 1
        h = SEED ^ (np.uint64(pieces[p].role) + _ONE) * K1 ^ np.uint64(b - a)
        i = a
        while i + 8 <= b:
            word = (
                np.uint64(text[i])
                | np.uint64(text[i + 1]) << np.uint64(8)
                | np.uint64(text[i + 2]) << np.uint64(16)
                | np.uint64(text[i + 3]) << np.uint64(24)
                | np.uint64(text[i + 4]) << np.uint64(32)
                | np.uint64(text[i + 5]) << np.uint64(40)
                | np.uint64(text[i + 6]) << np.uint64(48)
                | np.uint64(text[i + 7]) << np.uint64(56)
            )
            h = (h ^ word) * K1
            h ^= h >> S29
            i += 8
        word = np.uint64(0)
        while i < b:
            word = word << _S8 | np.uint64(text[i])
            i += 1
        h = mix(h ^ word * K2)
        out[p] = h if h != 0 else _ONE
    return out


@njit(cache=True)
def ngrams(
    tokens: NDArray[np.uint64],
    stems: NDArray[np.uint64],
    n: int,
    pairs: NDArray[np.uint64],
    out: NDArray[np.uint64],
) -> int:
    """N-gram hashes of a token sequence: words, stems, pairs and the opening words.

    Triples are added where one character is a token.

    Args:
        pairs: uint64, shape (>= n - 1,), receives the hashes of neighbouring tokens.

    Returns:
        How many were written to `out` (uint64, shape (>= 4 n + 6,)).
    """
    for i in range(n - 1):
        pairs[i] = combine(tokens[i], tokens[i + 1])
    m = 0
    for i in range(n):
        t = tokens[i]
        out[m] = t
        m += 1
        if stems[i] > LONE:
            out[m] = stems[i] ^ K2
            m += 1
        if i >= 1:
            out[m] = pairs[i - 1]
            m += 1
        if i >= 2 and stems[i] == LONE:
            out[m] = combine(pairs[i - 2], t)
            m += 1
        if i < 3:
            out[m] = combine(np.uint64(i + 1), t)
            m += 1
    return m


@njit(cache=True)
def mandates_tag(text: NDArray[np.uint8], start: int, stop: int) -> bool:
    """Whether a piece names a thinking tag: <think…>, <reason…>, <scratch…>, <thought…>, <cot…>."""
    for i in range(start, stop - 4):
        if text[i] != 60:  # "<"
            continue
        c0, c1, c2, c3 = text[i + 1] | 32, text[i + 2] | 32, text[i + 3] | 32, text[i + 4] | 32
        if c0 == 99 and c1 == 111 and c2 == 116 and not 97 <= c3 <= 122:  # cot
            return True
        if i + 5 >= stop:
            continue
        c4 = text[i + 5] | 32
        if c0 == 116 and c1 == 104:
            if c2 == 105 and c3 == 110 and c4 == 107:  # think
                return True
            if c2 == 111 and c3 == 117 and c4 == 103:  # thoug
                return True
        # five letters, since <script>, <scroll>, <React.Fragment> and <read> are everyday markup
        if c0 == 114 and c1 == 101 and c2 == 97 and c3 == 115 and c4 == 111:  # reaso
            return True
        if c0 == 115 and c1 == 99 and c2 == 114 and c3 == 97 and c4 == 116:  # scrat
            return True
    return False


@njit(cache=True)
def ngram_rows(
    text: NDArray[np.uint8], pieces: NDArray[np.void], buckets: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """N-grams of whole pieces as a sparse matrix in CSR form, for training the cue model.

    The same tokens and the same weight 1/√(number of n-grams) as `detector.cues` uses.

    Returns:
        indptr (p + 1,), bucket indices (nnz,), weights (nnz,).
    """
    tokens = np.empty(MAX_TOKENS, np.uint64)
    stems = np.empty(MAX_TOKENS, np.uint64)
    pairs = np.empty(MAX_TOKENS, np.uint64)
    grams = np.empty(5 * MAX_TOKENS + 8, np.uint64)
    indptr = np.zeros(pieces.shape[0] + 1, np.int64)
    total = 0
    for p in range(pieces.shape[0]):
        n = read_tokens(text, pieces[p].start, pieces[p].stop, tokens, stems)
        total += ngrams(tokens, stems, n, pairs, grams)
        indptr[p + 1] = total
    indices = np.empty(total, np.int32)
    weights = np.empty(total, np.float32)
    at = 0
    for p in range(pieces.shape[0]):
        n = read_tokens(text, pieces[p].start, pieces[p].stop, tokens, stems)
        m = ngrams(tokens, stems, n, pairs, grams)
        for j in range(m):
            indices[at] = np.int32(grams[j] % np.uint64(buckets))
            weights[at] = 1.0 / np.sqrt(m)
            at += 1
    return indptr, indices, weights


def is_user_piece(pieces: NDArray[np.void]) -> NDArray[np.bool_]:
    """Pieces that the customer wrote in this turn, shape (p,)."""
    mask: NDArray[np.bool_] = (pieces["role"] == USER) & (pieces["last_turn"] == 1)
    return mask
