"""Which rows of a table changed, and copies of rows as they were at one moment.

A cut fixes a moment. The rows it wants are then copied slice by slice while the table goes on: a
row that is about to change is copied first ("copy on update", Salles et al., An evaluation of
checkpoint recovery for massively multiplayer online games, VLDB 2009). So no copy of a large table
stops the stream, and all rows are of the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from detector.entities import EntityTable


@dataclass(frozen=True, slots=True)
class RowCopies:
    """Copies of n rows in use.

    Attributes:
        rows: int32, shape (n,): row numbers.
        identities: uint64, shape (n,).
        names: n names.
        content: uint8, shape (n, itemsize): the rows' bytes.
    """

    rows: NDArray[np.int32]
    identities: NDArray[np.uint64]
    names: list[str]
    content: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """Bytes that it holds, without the names, which belong to the table too."""
        return self.content.nbytes + self.rows.nbytes + self.identities.nbytes


def joined(copies: list[RowCopies]) -> RowCopies:
    """All of them as one; at least one."""
    if len(copies) == 1:
        return copies[0]
    return RowCopies(
        np.concatenate([some.rows for some in copies]),
        np.concatenate([some.identities for some in copies]),
        [name for some in copies for name in some.names],
        np.concatenate([some.content for some in copies]),
    )


class ChangedRows:
    """Watches one table from now on. Implements `entities.RowListener`.

    The bitmaps have one place more than the table has rows: row -1, which is none, falls there.
    """

    def __init__(self, table: EntityTable) -> None:
        """Becomes the table's listener; all its rows count as unchanged."""
        self._table = table
        self._changed = np.zeros(len(table.rows) + 1, np.bool_)
        self._before: NDArray[np.bool_] | None = None  # changed before the cut being taken
        self._pending = np.zeros(0, np.bool_)  # rows of the cut that are to be copied yet
        self._at = 0  # no row before this one is pending
        self._early: list[RowCopies] = []
        table.listener = self

    def __len__(self) -> int:
        """How many rows changed since the last cut."""
        return int(np.count_nonzero(self._changed[:-1]))

    @property
    def early_bytes(self) -> int:
        """Bytes of rows that were copied because they were about to change, and not taken yet."""
        return sum(copies.nbytes for copies in self._early)

    def changing(self, rows: NDArray[np.int64]) -> None:
        """Marks rows, shape (n,), and copies those that a cut still wants."""
        if len(self._table.rows) + 1 > len(self._changed):
            self._changed = _grown(self._changed, len(self._table.rows) + 1)
        self._changed[rows] = True
        self._rescue(rows)

    def freeing(self, rows: NDArray[np.int64]) -> None:
        """Copies rows that a cut still wants; a free row counts as unchanged."""
        self._rescue(rows)
        self._changed[rows] = False
        if self._before is not None:
            self._before[rows[rows < len(self._before) - 1]] = False

    def cut(self, whole: bool) -> None:
        """Fixes this moment: of all rows in use (`whole`), or of those changed since the last cut.

        Only when no other cut is being taken.
        """
        n = len(self._table.names)
        if whole:
            self._pending = np.zeros(n, np.bool_)
            self._pending[np.flatnonzero(self._table.identities[:n])] = True
        else:
            self._pending = self._changed[:n].copy()
        self._before = self._changed
        self._changed = np.zeros_like(self._changed)
        self._at = 0
        self._early = []

    def take(self, most_bytes: int) -> RowCopies | None:
        """The next copies of the cut, about as many as that; None when all were taken."""
        if self._early:
            return self._early.pop()
        most = max(most_bytes // self._table.rows.dtype.itemsize, 1)
        # A window of the bitmap is looked at, so that a slice costs the same in any table.
        while self._at < len(self._pending):
            window = self._pending[self._at : self._at + 65_536]
            found = np.flatnonzero(window)[:most]
            if len(found):
                rows = found + self._at
                self._at = int(rows[-1]) + 1
                return self._copy(rows)
            self._at += len(window)
        return None

    def written(self) -> None:
        """Ends the cut: what it held needs no other copy."""
        self._end()

    def give_up(self) -> None:
        """Ends the cut: what it held counts as changed again."""
        if self._before is not None:
            before = self._before[:-1]
            self._changed[: len(before)] |= before
        self._end()

    def detach(self) -> None:
        """Stops watching."""
        self._end()
        if self._table.listener is self:
            self._table.listener = None

    def _end(self) -> None:
        self._before = None
        self._pending = np.zeros(0, np.bool_)
        self._early = []

    def _rescue(self, rows: NDArray[np.int64]) -> None:
        n = len(self._pending)
        if not n:
            return
        inside = rows[(rows >= 0) & (rows < n)]
        wanted = np.unique(inside[self._pending[inside]])
        if len(wanted):
            self._early.append(self._copy(wanted))

    def _copy(self, rows: NDArray[np.int64]) -> RowCopies:
        table = self._table
        self._pending[rows] = False
        size = table.rows.dtype.itemsize
        as_bytes = table.rows.view(np.uint8).reshape(len(table.rows), size)
        names = cast("list[str]", [table.names[i] for i in rows.tolist()])
        return RowCopies(
            rows.astype(np.int32), table.identities[rows], names, np.take(as_bytes, rows, axis=0)
        )


def _grown(bitmap: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """A longer bitmap; the place of row -1 moves to its end and is cleared."""
    out = np.zeros(length, np.bool_)
    out[: len(bitmap) - 1] = bitmap[:-1]
    return out
