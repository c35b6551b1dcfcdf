"""Index of a table: 64-bit identities to row numbers, looked up for a whole batch at once.

An open-addressing hash table with linear probing (Knuth, The Art of Computer Programming, vol. 3,
6.4). Identities are hashes already, so their low bits are the slot. It takes 18 to 36 bytes an
entity, where a dict of Python integers takes over a hundred.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.jit import njit


class IdentityIndex:
    """Rows by identity. Identity 0 is no identity and is never found."""

    def __init__(self) -> None:
        self._identities: NDArray[np.uint64] = np.zeros(64, np.uint64)
        self._rows: NDArray[np.int32] = np.zeros(64, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes of its two arrays."""
        return self._identities.nbytes + self._rows.nbytes

    def find(self, identities: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Rows of identities, -1 where there is none; shape (n,)."""
        out = np.empty(len(identities), np.int64)
        _find(self._identities, self._rows, identities, out)
        return out

    def add(self, identities: NDArray[np.uint64], rows: NDArray[np.int64]) -> None:
        """Adds identities that are not in it yet, shape (n,), none twice."""
        self._count += len(identities)
        if 3 * self._count > 2 * len(self._rows):
            self._rebuild(np.ones(len(self._rows), np.bool_))
        _put(self._identities, self._rows, identities, rows)

    def drop(self, rows: NDArray[np.int64]) -> None:
        """Forgets the identities of these rows."""
        used = self._identities != 0
        kept = used & ~np.isin(self._rows, rows)
        self._count = int(kept.sum())
        self._rebuild(kept)

    def _rebuild(self, kept: NDArray[np.bool_]) -> None:
        kept &= self._identities != 0
        identities, rows = self._identities[kept], self._rows[kept].astype(np.int64)
        slots = 64
        while 3 * self._count > 2 * slots:
            slots *= 2
        self._identities, self._rows = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
        _put(self._identities, self._rows, identities, rows)


@njit(cache=True)
def _find(
    slots: NDArray[np.uint64],
    slot_rows: NDArray[np.int32],
    identities: NDArray[np.uint64],
    out: NDArray[np.int64],
) -> None:
    mask = np.uint64(slots.shape[0] - 1)
    for i in range(identities.shape[0]):
        wanted = identities[i]
        at = wanted & mask
        while slots[at] != 0 and slots[at] != wanted:
            at = (at + np.uint64(1)) & mask
        out[i] = slot_rows[at] if slots[at] != 0 else -1


@njit(cache=True)
def _put(
    slots: NDArray[np.uint64],
    slot_rows: NDArray[np.int32],
    identities: NDArray[np.uint64],
    rows: NDArray[np.int64],
) -> None:
    mask = np.uint64(slots.shape[0] - 1)
    for i in range(identities.shape[0]):
        at = identities[i] & mask
        while slots[at] != 0:
            at = (at + np.uint64(1)) & mask
        slots[at] = identities[i]
        slot_rows[at] = rows[i]
