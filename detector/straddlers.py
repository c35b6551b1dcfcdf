"""Accounts seen on two partitions: the sign of a topic that is not keyed by account."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.entities import EntityTable

MOST = 100_000
"""They are counted up to here: then the topic is plainly not keyed."""


class Straddlers:
    """Counts each account once, however often it comes. Looks at new rows of tables only."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def note(self, tables: Sequence[EntityTable]) -> int:
        """Looks up the rows made since the last call in the other tables; how many are new here.

        The tables keep `EntityTable.born`; it is emptied.
        """
        before = len(self._known)
        for table in tables:
            if not table.born:
                continue
            born = np.array(table.born, np.uint64)
            table.born.clear()
            if len(self._known) >= MOST:
                continue
            for other in tables:
                if other is not table:
                    self._known.update(born[other.found(born)].tolist())
        return len(self._known) - before
