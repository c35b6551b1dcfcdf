"""Entities of one partition: accounts, keys and end users as tables of rows.

A row is one structured record whose field names are the documentation and whose bytes are the
snapshot. Rows are found by the 64-bit identity of their name; the name itself is kept beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.features import GROUPS
from detector.features.narrow import NARROW_ROW
from detector.identity_index import IdentityIndex
from detector.links import seen
from streams.columns import EVENT_ID_BYTES

RING = 128
SYSTEM_RING = 8
EXEMPLARS = 3

ACCOUNT_ROW = np.dtype(
    [
        ("account", "u8"),
        ("ring", "u4", (RING,)),  # hashes of the last pieces answered
        ("ring_at", "u4"),
        ("system_ring", "u4", (SYSTEM_RING,)),  # hashes of the last system prompts and tools
        ("system_at", "u4"),
        ("next_point", "u4"),
        ("exemplar", "u1", (EXEMPLARS * EVENT_ID_BYTES,)),
        ("exemplar_score", "f4", (EXEMPLARS,)),
        *seen.FIELDS,
        *(field for group in GROUPS for field in group.FIELDS),
    ],
    align=True,
)
"""State of one account; at most 3 KB."""


class RowListener(Protocol):
    """Is told of rows before they change; row -1 is none."""

    def changing(self, rows: NDArray[np.int64]) -> None:
        """These rows, shape (n,), are about to be written to."""

    def freeing(self, rows: NDArray[np.int64]) -> None:
        """These rows in use, shape (n,), are about to be dropped."""


class EntityTable:
    """Rows of one kind of entity.

    Attributes:
        rows: structured array, shape (capacity,); only rows in use hold state.
        names: name of the entity in each row, None where the row is free.
        identities: uint64, shape (capacity,): identity of the entity in each row.
        listener: is told what is about to change; None: nobody is.
        born: identities of the rows made since it was last emptied; None: not kept.
    """

    def __init__(self, dtype: np.dtype[np.void], capacity: int = 64) -> None:
        self.rows: NDArray[np.void] = np.zeros(capacity, dtype)
        self.identities: NDArray[np.uint64] = np.zeros(capacity, np.uint64)
        self.listener: RowListener | None = None
        self.names: list[str | None] = []
        self.born: list[int] | None = None
        self._index = IdentityIndex()
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._index)

    def find(self, identity: int) -> int | None:
        """Row of an identity, or None."""
        at = int(self._index.find(np.array([identity], np.uint64))[0])
        return None if at < 0 else at

    def found(self, identities: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which identities, shape (n,), have a row."""
        result: NDArray[np.bool_] = self._index.find(identities) >= 0
        return result

    def row_of(self, identity: int, name: str) -> int:
        """Row of an identity, made if it is new."""
        return int(self.rows_of(np.array([identity], np.uint64), lambda _: name)[0])

    def rows_of(
        self, identities: NDArray[np.uint64], name_of: Callable[[int], str]
    ) -> NDArray[np.int64]:
        """Rows of identities, shape (n,), -1 for identity 0.

        New ones are made in order; `name_of(i)` is the name of the i-th. The rows are about to be
        written to: the listener is told.
        """
        out = self._index.find(identities)
        made: dict[int, int] = {}
        for i in np.flatnonzero((out < 0) & (identities != 0)).tolist():
            identity = int(identities[i])
            at = made.get(identity)
            if at is None:
                at = made[identity] = self._new(name_of(i))
            out[i] = at
        if made:
            if self.born is not None:
                self.born.extend(made)
            new, at_rows = np.array([*made], np.uint64), np.array([*made.values()], np.int64)
            self.identities[at_rows] = new
            self._index.add(new, at_rows)
        self.changing(out)
        return out

    def changing(self, rows: NDArray[np.int64]) -> None:
        """Tells the listener that these rows, shape (n,), are about to be written to."""
        if self.listener is not None:
            self.listener.changing(rows)

    def _new(self, name: str) -> int:
        if self._free:
            at = self._free.pop()
            self.names[at] = name
            return at
        at = len(self.names)
        self._reserve(at + 1)
        self.names.append(name)
        return at

    def _reserve(self, n: int) -> None:
        """Makes room for `n` rows."""
        at = len(self.rows)
        if n > at:
            capacity = max(64, n, at + at // 2)
            grown, identities = np.zeros(capacity, self.rows.dtype), np.zeros(capacity, np.uint64)
            grown[:at], identities[:at] = self.rows, self.identities
            self.rows, self.identities = grown, identities

    def idle(self, before_s: float) -> list[int]:
        """Rows whose last event is older than `before_s`, ascending."""
        last = self.rows["last_s"][: len(self.names)]
        return [i for i in np.flatnonzero(last < before_s).tolist() if self.names[i] is not None]

    def evict_idle(self, before_s: float) -> int:
        """Drops rows whose last event is older than `before_s`; returns how many."""
        old = self.idle(before_s)
        if old:
            rows = np.array(old, np.int64)
            if self.listener is not None:
                self.listener.freeing(rows)
            self._index.drop(rows)
            self.identities[rows] = 0
            for i in reversed(old):
                self.names[i] = None
                self.rows[i] = np.zeros((), self.rows.dtype)
                self._free.append(i)
        return len(old)

    def dump_free(self) -> list[int]:
        """The free rows; the last one is taken first."""
        return [*self._free]

    def put(
        self,
        rows: NDArray[np.int64],
        identities: NDArray[np.uint64],
        names: Sequence[str],
        content: NDArray[np.uint8],
    ) -> None:
        """Writes rows of a snapshot, shape (n,); `content` are their bytes, shape (n, itemsize).

        The table is whole again after `settle`. Raises ValueError when the shapes differ.
        """
        if len(rows):
            if rows.min() < 0:
                raise ValueError("a row before the first")
            self._reserve(int(rows.max()) + 1)
            self.names += [None] * (int(rows.max()) + 1 - len(self.names))
        as_bytes = self.rows.view(np.uint8).reshape(len(self.rows), self.rows.dtype.itemsize)
        as_bytes[rows] = content
        self.identities[rows] = identities
        for at, name in zip(rows.tolist(), names, strict=True):
            self.names[at] = name

    def settle(self, n_rows: int, free: list[int]) -> None:
        """Ends a series of `put`: the table has `n_rows` rows, of which these are free.

        Raises ValueError when a row that is not free was never put, or one past the end was.
        """
        self._reserve(n_rows)
        self.names += [None] * (n_rows - len(self.names))
        gone = np.array(free, np.int64)
        if len(self.names) != n_rows or (len(gone) and not 0 <= gone.min() <= gone.max() < n_rows):
            raise ValueError(f"rows past the table's end at {n_rows}")
        self.rows[gone] = np.zeros((), self.rows.dtype)
        self.identities[gone] = 0
        for at in free:
            self.names[at] = None
        used = np.flatnonzero(self.identities[:n_rows])
        if len(used) + len(free) != n_rows:
            raise ValueError(f"{n_rows - len(free)} rows in use, but {len(used)} are here")
        self._free = [*free]
        self._index = IdentityIndex()
        self._index.add(self.identities[used], used)

    def items(self) -> Iterator[tuple[str, int]]:
        """(name, row index) of every entity, by name: the canonical order."""
        return iter(sorted((name, i) for i, name in enumerate(self.names) if name is not None))

    def digest(self) -> str:
        """sha256 over names and row bytes in canonical order; equal state, equal digest."""
        h = hashlib.sha256()
        for name, i in self.items():
            h.update(name.encode("utf-8", "surrogatepass"))
            h.update(self.rows[i].tobytes())
        return h.hexdigest()


def account_table() -> EntityTable:
    """An empty table of accounts."""
    return EntityTable(ACCOUNT_ROW)


def narrow_table() -> EntityTable:
    """An empty table of keys or end users."""
    return EntityTable(NARROW_ROW)
