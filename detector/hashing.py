"""64-bit mixing for kernels: the finaliser of MurmurHash3 and what is built on it."""

from __future__ import annotations

import numpy as np

from streams.jit import njit

K1 = np.uint64(0xFF51AFD7ED558CCD)
K2 = np.uint64(0xC4CEB9FE1A85EC53)
SEED = np.uint64(0x243F6A8885A308D3)
S29 = np.uint64(29)
S33 = np.uint64(33)


@njit(cache=True, inline="always")
def mix(h: np.uint64) -> np.uint64:
    """Finaliser of MurmurHash3 (fmix64): every input bit reaches every output bit."""
    h ^= h >> S33
    h *= K1
    h ^= h >> S29
    h *= K2
    h ^= h >> S33
    return h


@njit(cache=True, inline="always")
def combine(a: np.uint64, b: np.uint64) -> np.uint64:
    """Hash of an ordered pair."""
    return mix(a * K2 + b + SEED)
