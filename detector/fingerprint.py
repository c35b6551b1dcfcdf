"""Fingerprints of text pieces: exact hash, tokens, and the n-grams that everything else reads.

All kernels run over the one text buffer of a batch. A token is a lower-case run of ASCII letters
and digits, a run of other letters, or one character of a script written without spaces (CJK,
kana, hangul, Thai). Numbers are masked as one token: counters and amounts are items, not frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.jit import njit
from streams.batch import USER

HEAD_BYTES, TAIL_BYTES = 1600, 800
"""Of a long piece only its head and tail are tokenised: the middle is somebody's document."""

MAX_TOKENS = 820
"""Upper bound of tokens read from one piece."""

NUMBER = np.uint64(0x9E3779B97F4A7C15)
"""The token that stands for every number."""

STEM_CHARS = 5
"""A longer word also counts by its first characters."""

LONE = np.uint64(1)
"""In place of a stem: the token is one character of a script written without spaces."""

_K1 = np.uint64(0xFF51AFD7ED558CCD)
_K2 = np.uint64(0xC4CEB9FE1A85EC53)
_SEED = np.uint64(0x243F6A8885A308D3)
_S33 = np.uint64(33)
_S29 = np.uint64(29)
_S8 = np.uint64(8)
_ONE = np.uint64(1)


@njit(cache=True, inline="always")
def mix(h: np.uint64) -> np.uint64:
    """Finaliser of MurmurHash3 (fmix64): every input bit reaches every output bit."""
    h ^= h >> _S33
    h *= _K1
    h ^= h >> _S29
    h *= _K2
    h ^= h >> _S33
    return h


@njit(cache=True, inline="always")
def combine(a: np.uint64, b: np.uint64) -> np.uint64:
    """Hash of an ordered pair."""
    return mix(a * _K2 + b + _SEED)


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
        h = _SEED ^ (np.uint64(pieces[p].role) + _ONE) * _K1 ^ np.uint64(b - a)
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
            h = (h ^ word) * _K1
            h ^= h >> _S29
            i += 8
        word = np.uint64(0)
        while i < b:
            word = word << _S8 | np.uint64(text[i])
            i += 1
        h = mix(h ^ word * _K2)
        out[p] = h if h != 0 else _ONE
    return out


@njit(cache=True, inline="always")
def _lone_char_bytes(lead: np.uint8, second: np.uint8) -> int:
    """Length of a character that is a token of its own, or 0."""
    if 0xE3 <= lead <= 0xED:
        return 3
    if lead == 0xE0 and (second == 0xB8 or second == 0xB9):
        return 3
    if lead >= 0xF0:
        return 4
    return 0


@njit(cache=True, inline="always")
def _mark_bytes(text: NDArray[np.uint8], i: int, stop: int) -> int:
    """Length of a typographic mark or hard space (U+0080-U+00BF, U+2000-U+207F), or 0.

    Not of letters among them (ª, µ, º), nor of the joiners within Persian and Indic words.
    """
    if i + 1 >= stop:
        return 0
    second = text[i + 1]
    if text[i] == 0xC2:
        return 0 if second == 0xAA or second == 0xB5 or second == 0xBA else 2
    if text[i] == 0xE2 and (second == 0x80 or second == 0x81):
        joins = second == 0x80 and i + 2 < stop and (text[i + 2] == 0x8C or text[i + 2] == 0x8D)
        return 0 if joins else 3
    if text[i] == 0xE3 and second == 0x80 and i + 2 < stop and text[i + 2] <= 0x9F:
        return 3  # CJK punctuation
    if text[i] == 0xEF and second == 0xBC and i + 2 < stop and text[i + 2] <= 0xA0:
        return 3  # full-width marks and digits
    return 0


@njit(cache=True, inline="always")
def _is_word_byte(c: np.uint8) -> bool:
    """ASCII letters, digits and the underscore."""
    return bool(97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57 or c == 95)


@njit(cache=True, inline="always")
def _fold(lead: np.uint8, second: np.uint8) -> int:
    """Lower case of a two-byte letter (Latin, Greek, Cyrillic) as lead << 8 | second.

    Other characters stay as they are: two of their bytes, whatever follows is hashed apart.
    """
    a, b = int(lead), int(second)
    if a == 0xC3 and 0x80 <= b <= 0x9E and b != 0x97:
        b += 0x20
    elif (a == 0xC4 and b <= 0xB7 and b != 0xB0) or (a == 0xC5 and 0x8A <= b <= 0xB7):
        b |= 1
    elif a == 0xCE and 0x91 <= b <= 0x9F:
        b += 0x20
    elif a == 0xCE and 0xA0 <= b <= 0xA9:
        a, b = 0xCF, b - 0x20
    elif a == 0xD0 and b <= 0x8F:
        a, b = 0xD1, b + 0x10
    elif a == 0xD0 and b <= 0x9F:
        b += 0x20
    elif a == 0xD0 and b <= 0xAF:
        a, b = 0xD1, b - 0x20
    return a << 8 | b


@njit(cache=True)
def tokenize(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    tokens: NDArray[np.uint64],
    stems: NDArray[np.uint64],
) -> int:
    """Token hashes of one stretch of text, written from the front of `tokens`.

    Args:
        tokens: uint64, shape (k,), receives token hashes.
        stems: uint64, shape (k,), receives the hash of a long word's first characters, LONE for
            a character that is a token, else 0.

    Returns:
        The number of tokens written, at most k.
    """
    n = 0
    i = start
    while i < stop and n < tokens.shape[0]:
        c = text[i]
        if c < 0xC2:
            if not _is_word_byte(c):
                i += 1
                continue
        elif _mark_bytes(text, i, stop) > 0:
            i += _mark_bytes(text, i, stop)
            continue
        h = _SEED
        stem = np.uint64(0)
        lone = _lone_char_bytes(c, text[i + 1]) if c >= 0xE0 and i + 1 < stop else 0
        if lone > 0:
            for k in range(i, min(stop, i + lone)):
                h = (h ^ np.uint64(text[k])) * _K1
            i += lone
            tokens[n] = mix(h)
            stems[n] = LONE
            n += 1
            continue
        chars = 0
        digits = True
        while i < stop:
            c = text[i]
            if c < 0xC2:
                if not _is_word_byte(c):
                    break
                if 65 <= c <= 90:
                    c += np.uint8(32)
                digits &= 48 <= c <= 57
                h = (h ^ np.uint64(c)) * _K1
                i += 1
            else:
                if i + 1 >= stop or _mark_bytes(text, i, stop) > 0:
                    break
                if c >= 0xE0 and _lone_char_bytes(c, text[i + 1]) > 0:
                    break
                digits = False
                h = (h ^ np.uint64(_fold(c, text[i + 1]))) * _K1
                i += 2
                while i < stop and 0x80 <= text[i] < 0xC0:
                    h = (h ^ np.uint64(text[i])) * _K1
                    i += 1
            chars += 1
            if chars == STEM_CHARS:
                stem = mix(h)
        if chars == 0:  # the first byte of a character that the cut took away
            i = stop
            break
        tokens[n] = NUMBER if digits else mix(h)
        stems[n] = stem if chars > STEM_CHARS and not digits else np.uint64(0)
        n += 1
    return n


@njit(cache=True)
def read_tokens(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    tokens: NDArray[np.uint64],
    stems: NDArray[np.uint64],
) -> int:
    """Tokens of a piece's head and tail; see `tokenize`."""
    if stop - start <= HEAD_BYTES + TAIL_BYTES:
        return tokenize(text, start, stop, tokens, stems)
    half = tokens.shape[0] * 2 // 3
    n = tokenize(text, start, start + HEAD_BYTES, tokens[:half], stems[:half])
    return n + tokenize(text, stop - TAIL_BYTES, stop, tokens[n:], stems[n:])


@njit(cache=True)
def ngrams(
    tokens: NDArray[np.uint64], stems: NDArray[np.uint64], n: int, out: NDArray[np.uint64]
) -> int:
    """N-gram hashes of a token sequence: words, stems, pairs and the opening words.

    Triples are added where one character is a token.

    Returns:
        How many were written to `out` (uint64, shape (>= 4 n + 6,)).
    """
    m = 0
    for i in range(n):
        t = tokens[i]
        out[m] = t
        m += 1
        if stems[i] > LONE:
            out[m] = stems[i] ^ _K2
            m += 1
        if i >= 1:
            out[m] = combine(tokens[i - 1], t)
            m += 1
        if i >= 2 and stems[i] == LONE:
            out[m] = combine(combine(tokens[i - 2], tokens[i - 1]), t)
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
    grams = np.empty(5 * MAX_TOKENS + 8, np.uint64)
    indptr = np.zeros(pieces.shape[0] + 1, np.int64)
    total = 0
    for p in range(pieces.shape[0]):
        n = read_tokens(text, pieces[p].start, pieces[p].stop, tokens, stems)
        total += ngrams(tokens, stems, n, grams)
        indptr[p + 1] = total
    indices = np.empty(total, np.int32)
    weights = np.empty(total, np.float32)
    at = 0
    for p in range(pieces.shape[0]):
        n = read_tokens(text, pieces[p].start, pieces[p].stop, tokens, stems)
        m = ngrams(tokens, stems, n, grams)
        for j in range(m):
            indices[at] = np.int32(grams[j] % np.uint64(buckets))
            weights[at] = 1.0 / np.sqrt(m)
            at += 1
    return indptr, indices, weights


def is_user_piece(pieces: NDArray[np.void]) -> NDArray[np.bool_]:
    """Pieces that the customer wrote in this turn, shape (p,)."""
    mask: NDArray[np.bool_] = (pieces["role"] == USER) & (pieces["last_turn"] == 1)
    return mask
