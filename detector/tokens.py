"""Tokens of a text, in any script.

A token is a lower-case run of ASCII letters and digits, a run of other letters, or one character
of a script written without spaces (CJK, kana, hangul, Thai). Numbers are masked as one token:
counters and amounts are items, not frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.hashing import K1, SEED, mix
from streams.jit import njit

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


@njit(cache=True, inline="always")
def lone_char_bytes(lead: np.uint8, second: np.uint8) -> int:
    """Length of a character that is a token of its own, or 0."""
    if 0xE3 <= lead <= 0xED:
        return 3
    if lead == 0xE0 and (second == 0xB8 or second == 0xB9):
        return 3
    if lead >= 0xF0:
        return 4
    return 0


@njit(cache=True, inline="always")
def mark_bytes(text: NDArray[np.uint8], i: int, stop: int) -> int:
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


_LOWER = np.zeros(0xC2, np.uint8)
"""Lower case of an ASCII letter, digit or underscore; 0 for every other byte below 0xC2."""
for _byte in b"abcdefghijklmnopqrstuvwxyz0123456789_":
    _LOWER[_byte] = _LOWER[ord(chr(_byte).upper())] = _byte


@njit(cache=True, inline="always")
def lower(c: np.uint8) -> int:
    """Lower case of an ASCII letter, digit or underscore; 0 for every other byte below 0xC2."""
    return int(_LOWER[c])


@njit(cache=True, inline="always")
def fold(lead: np.uint8, second: np.uint8) -> int:
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
        c = text[np.uint64(i)]
        if c < 0xC2:
            if _LOWER[c] == 0:
                i += 1
                continue
        elif mark_bytes(text, i, stop) > 0:
            i += mark_bytes(text, i, stop)
            continue
        h = SEED
        stem = np.uint64(0)
        lone = lone_char_bytes(c, text[i + 1]) if c >= 0xE0 and i + 1 < stop else 0
        if lone > 0:
            for k in range(i, min(stop, i + lone)):
                h = (h ^ np.uint64(text[k])) * K1
            i += lone
            tokens[n] = mix(h)
            stems[n] = LONE
            n += 1
            continue
        chars = 0
        digits = True
        while i < stop:
            c = text[np.uint64(i)]  # an index without a sign: numba need not look for negatives
            if c < 0xC2:
                c = _LOWER[c]
                if c == 0:
                    break
                digits &= c <= 57
                h = (h ^ np.uint64(c)) * K1
                i += 1
            else:
                if i + 1 >= stop or mark_bytes(text, i, stop) > 0:
                    break
                if c >= 0xE0 and lone_char_bytes(c, text[i + 1]) > 0:
                    break
                digits = False
                h = (h ^ np.uint64(fold(c, text[i + 1]))) * K1
                i += 2
                while i < stop and 0x80 <= text[i] < 0xC0:
                    h = (h ^ np.uint64(text[i])) * K1
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
