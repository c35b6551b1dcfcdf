"""A piece's text as plain lower-case words with control bytes: what the concept reader walks over.

One space between words; END, ASK and LINE (a line's end) close a sentence; COLON is a colon; OPEN
and CLOSE stand around what is quoted: in quotation marks of any script, in back-ticks, in a code
block, behind a ">" at a line's start. Inside braces a double quote is no quotation but JSON.
"""

# numba compiles these: flat loops, scalar comparisons, no helper objects.
# ruff: noqa: PLR0912, PLR0915, PLR1714

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.tokens import HEAD_BYTES, TAIL_BYTES, fold, lone_char_bytes, lower, mark_bytes
from streams.jit import njit

END, ASK, LINE, OPEN, CLOSE, COLON, COMMA, SPACE = 1, 2, 3, 4, 5, 6, 7, 32
LESS_THAN = 60
"""Kept before a letter, so that tags can be told from words."""

MAX_PLAIN = 2 * (HEAD_BYTES + TAIL_BYTES) + 64
"""Upper bound of the bytes that `plain_piece` writes."""

_NONE, _DOUBLE, _SINGLE, _TICK, _LINE, _CORNER, _CODE = 0, 1, 2, 3, 4, 5, 6


@njit(cache=True, inline="always")
def _is_letter(text: NDArray[np.uint8], i: int, stop: int) -> bool:
    if i >= stop:
        return False
    c = text[i]
    if c < 0xC2:
        return bool(lower(c) != 0 and c != 95)
    return bool(mark_bytes(text, i, stop) == 0)


@njit(cache=True)
def plain(text: NDArray[np.uint8], start: int, stop: int, out: NDArray[np.uint8], n: int) -> int:
    """Writes one stretch of text as plain words from `out[n]` on; returns the new length."""
    quote = _NONE
    braces = 0
    i = start
    while i < stop and n + 8 < out.shape[0]:
        c = text[i]
        control = 0
        step = 1
        if c < 0xC2:
            low = lower(c)
            if low != 0 and low != 95:
                out[n] = low
                n += 1
                i += 1
                continue
            if c == 10:
                control = LINE
                if quote != _NONE and quote != _CODE and quote != _CORNER:
                    out[n] = CLOSE
                    n += 1
                    quote = _NONE
                j = i + 1
                while j < stop and text[j] == 32:
                    j += 1
                if j < stop and text[j] == 62 and quote == _NONE:
                    out[n] = LINE
                    out[n + 1] = OPEN
                    n += 2
                    quote = _LINE
                    i = j + 1
                    continue
            elif c == 46 or c == 33 or c == 63:
                if i + 1 >= stop or text[i + 1] <= 32 or text[i + 1] == 34 or text[i + 1] >= 0xC2:
                    control = ASK if c == 63 else END
            elif c == 58:
                control = COLON
            elif c == 44 or c == 59:
                control = COMMA
            elif c == 123:
                braces += 1
            elif c == 125:
                braces = max(braces - 1, 0)
            elif c == 34:
                if quote == _DOUBLE:
                    control, quote = CLOSE, _NONE
                elif quote == _NONE and braces == 0:
                    control, quote = OPEN, _DOUBLE
            elif c == 96:
                if i + 2 < stop and text[i + 1] == 96 and text[i + 2] == 96:
                    step = 3
                    if quote == _CODE:
                        control, quote = CLOSE, _NONE
                    elif quote == _NONE:
                        control, quote = OPEN, _CODE
                elif quote == _TICK:
                    control, quote = CLOSE, _NONE
                elif quote == _NONE:
                    control, quote = OPEN, _TICK
            elif c == 39:
                after = _is_letter(text, i + 1, stop)
                before = n > 0 and out[n - 1] > SPACE
                if quote == _NONE and after and not before:
                    control, quote = OPEN, _SINGLE
                elif quote == _SINGLE and not after:
                    control, quote = CLOSE, _NONE
            elif c == LESS_THAN and i + 2 < stop:
                j = i + 2 if text[i + 1] == 47 else i + 1
                if _is_letter(text, j, stop):
                    out[n] = LESS_THAN
                    n += 1
                    i = j
                    continue
        else:
            second = text[i + 1] if i + 1 < stop else np.uint8(0)
            third = text[i + 2] if i + 2 < stop else np.uint8(0)
            size = mark_bytes(text, i, stop)
            if c == 0xD8 and (second == 0x9F or second == 0x8C or second == 0x9B):
                step = 2  # Arabic question mark, comma, semicolon
                control = ASK if second == 0x9F else COMMA
            elif c == 0xE0 and second == 0xA5 and third == 0xA4:
                step, control = 3, END  # danda
            elif size == 0:
                if c >= 0xE0 and lone_char_bytes(c, second) > 0:
                    size = lone_char_bytes(c, second)
                    for k in range(i, min(stop, i + size)):
                        out[n] = text[k]
                        n += 1
                    i += size
                    continue
                if i + 1 >= stop:
                    break
                folded = fold(c, second)
                out[n] = np.uint8(folded >> 8)
                out[n + 1] = np.uint8(folded & 255)
                n += 2
                i += 2
                while i < stop and 0x80 <= text[i] < 0xC0:
                    if n + 8 < out.shape[0]:
                        out[n] = text[i]
                        n += 1
                    i += 1
                continue
            else:
                step = size
                if (c == 0xC2 and (second == 0xAB or second == 0xBB)) or (
                    c == 0xE2 and second == 0x80 and 0x9C <= third <= 0x9F
                ):
                    if quote == _DOUBLE:
                        control, quote = CLOSE, _NONE
                    elif quote == _NONE:
                        control, quote = OPEN, _DOUBLE
                elif c == 0xE2 and second == 0x80 and (third == 0x98 or third == 0x9A):
                    if quote == _NONE:
                        control, quote = OPEN, _SINGLE
                elif c == 0xE2 and second == 0x80 and third == 0x99:
                    if quote == _SINGLE and not _is_letter(text, i + size, stop):
                        control, quote = CLOSE, _NONE
                elif c == 0xE3 and (third == 0x8C or third == 0x8E):
                    if quote == _NONE:
                        control, quote = OPEN, _CORNER
                elif c == 0xE3 and (third == 0x8D or third == 0x8F):
                    if quote == _CORNER:
                        control, quote = CLOSE, _NONE
                elif (c == 0xE3 and third == 0x82) or (c == 0xEF and third == 0x81):
                    control = END
                elif c == 0xEF and third == 0x9F:
                    control = ASK
                elif c == 0xEF and third == 0x9A:
                    control = COLON
                elif (c == 0xE3 and third == 0x81) or (
                    c == 0xEF and (third == 0x8C or third == 0x9B)
                ):
                    control = COMMA
        if control != 0:
            out[n] = control
            n += 1
        elif n > 0 and out[n - 1] > SPACE:
            out[n] = SPACE
            n += 1
        i += step
    if quote != _NONE:
        out[n] = CLOSE
        n += 1
    return n


@njit(cache=True)
def plain_piece(text: NDArray[np.uint8], start: int, stop: int, out: NDArray[np.uint8]) -> int:
    """A piece's head and tail as plain words in `out` (uint8, shape (MAX_PLAIN,))."""
    if stop - start <= HEAD_BYTES + TAIL_BYTES:
        return plain(text, start, stop, out, 0)
    n = plain(text, start, start + HEAD_BYTES, out, 0)
    out[n] = END
    tail = stop - TAIL_BYTES
    while tail < stop and 0x80 <= text[tail] < 0xC0:
        tail += 1
    return plain(text, tail, stop, out, n + 1)
