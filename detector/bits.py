"""The lowest bit of a word: how kernels walk over a set of concepts."""

from __future__ import annotations

import numpy as np

from streams.jit import njit

_ONE = np.uint64(1)
_SEQUENCE = 0x03F79D71B4CB0A89
"""A de Bruijn sequence: its top six bits differ for each of 64 shifts."""
_MULTIPLIER = np.uint64(_SEQUENCE)
_INDEX = np.zeros(64, np.int64)
for _k in range(64):
    _INDEX[((_SEQUENCE << _k) & (2**64 - 1)) >> 58] = _k


@njit(cache=True, inline="always")
def lowest(bits: np.uint64) -> int:
    """Index of the lowest bit that is set; `bits` is not 0."""
    low = bits & (~bits + _ONE)
    return int(_INDEX[(low * _MULTIPLIER) >> np.uint64(58)])
