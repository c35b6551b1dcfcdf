"""Small sketches inside a row: distinct counts (HyperLogLog registers) and heavy hitters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.hashing import mix
from streams.jit import njit

_ALPHA_16, _ALPHA_32 = 0.673, 0.697  # constants of Flajolet et al. 2007, figure 3


@njit(cache=True)
def hll_add(registers: NDArray[np.uint8], value: np.uint64) -> None:
    """Adds a 64-bit identity to `registers` (uint8, shape (m,), m 16 or 32)."""
    h = mix(value)
    m = registers.shape[0]
    j = np.int64(h & np.uint64(m - 1))
    rest = h >> np.uint64(8)
    rank = np.uint8(1)
    while rank < 40 and rest & np.uint64(1) == 0:
        rest >>= np.uint64(1)
        rank += np.uint8(1)
    if rank > registers[j]:
        registers[j] = rank


@njit(cache=True)
def hll_count(registers: NDArray[np.uint8]) -> float:
    """Estimated distinct count (Flajolet et al. 2007, with linear counting for small ranges)."""
    m = registers.shape[0]
    total = 0.0
    zeros = 0
    for j in range(m):
        total += 2.0 ** -float(registers[j])
        if registers[j] == 0:
            zeros += 1
    if zeros == m:
        return 0.0
    estimate = (_ALPHA_16 if m == 16 else _ALPHA_32) * m * m / total
    if estimate <= 2.5 * m and zeros > 0:
        return m * np.log(m / zeros)
    return estimate


@njit(cache=True)
def heavy_add(
    keys: NDArray[np.uint32], counts: NDArray[np.float32], key: np.uint32, weight: float
) -> None:
    """Space-Saving (Metwally et al. 2005): adds `weight` to `key` among k counters."""
    least = 0
    for j in range(keys.shape[0]):
        if keys[j] == key and counts[j] > 0.0:
            counts[j] += np.float32(weight)
            return
        if counts[j] < counts[least]:
            least = j
    keys[least] = key
    counts[least] += np.float32(weight)
