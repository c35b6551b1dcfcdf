"""Copies of rows: of one moment, whatever is written to the table while they are taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.changed_rows import ChangedRows, RowCopies
from detector.entities import EntityTable

ROW = np.dtype([("last_s", "f8"), ("count", "u4")], align=True)

IDENTITIES = st.integers(1, 40)
WRITE = st.tuples(st.just("write"), st.lists(IDENTITIES, min_size=1, max_size=6))
EVICT = st.tuples(st.just("evict"), st.integers(1, 30))
TAKE = st.tuples(st.just("take"), st.integers(1, 5))
STEPS = st.lists(st.one_of(WRITE, WRITE, EVICT, TAKE), max_size=25)


class Written:
    """A table whose rows are written to, and what stands in it by identity."""

    def __init__(self) -> None:
        self.table = EntityTable(ROW)
        self.at = 0

    def write(self, identities: list[int]) -> None:
        """One more event of each."""
        self.at += 1
        given = np.array(identities, np.uint64)
        rows = self.table.rows_of(given, lambda i: f"name {identities[i]}")
        self.table.rows["last_s"][rows] = self.at
        self.table.rows["count"][rows] += 1

    def evict(self, younger_than: int) -> None:
        """Drops what had no event in the last steps."""
        self.table.evict_idle(self.at - younger_than)

    def content(self) -> dict[int, tuple[int, str, bytes]]:
        """Row, name and bytes by identity."""
        table = self.table
        return {
            int(table.identities[row]): (row, name, table.rows[row].tobytes())
            for name, row in table.items()
        }


def told(copies: list[RowCopies]) -> dict[int, tuple[int, str, bytes]]:
    """The same from copies, of which none may hold an entity twice."""
    out = {}
    for some in copies:
        for row, identity, name, content in zip(
            some.rows.tolist(), some.identities.tolist(), some.names, some.content, strict=True
        ):
            assert identity not in out
            out[identity] = (row, name, content.tobytes())
    return out


def go_on(written: Written, watch: ChangedRows, steps: list[tuple[str, object]]) -> list[RowCopies]:
    """Writes, drops and takes copies in that order; then takes the rest."""
    copies = []
    for what, value in steps:
        if what == "write" and isinstance(value, list):
            written.write(value)
        elif what == "evict" and isinstance(value, int):
            written.evict(value)
        elif isinstance(value, int) and (some := watch.take(value * ROW.itemsize)) is not None:
            copies.append(some)
    while (some := watch.take(2 * ROW.itemsize)) is not None:
        copies.append(some)
    return copies


@given(before=STEPS, between=STEPS, meanwhile=STEPS, after=STEPS, fails=st.booleans())
def test_copies_are_of_the_moment_of_the_cut(
    before: list[tuple[str, object]],
    between: list[tuple[str, object]],
    meanwhile: list[tuple[str, object]],
    after: list[tuple[str, object]],
    fails: bool,
) -> None:
    """A whole cut holds every row as it stood, though rows are written, dropped and used again
    while it is taken. The next cut of changed rows brings that to the present, also when one in
    between was given up."""
    written = Written()
    watch = ChangedRows(written.table)
    go_on(written, watch, before)
    known = written.content()
    watch.cut(whole=True)
    assert told(go_on(written, watch, between)) == known
    watch.written()
    if fails:
        watch.cut(whole=False)
        go_on(written, watch, meanwhile)
        watch.give_up()
    now = written.content()
    watch.cut(whole=False)
    changed = told(go_on(written, watch, after))
    watch.written()
    for identity, stood in known.items():
        if identity in now and identity not in changed:
            assert now[identity] == stood
    assert all(now[identity] == stood for identity, stood in changed.items())
    assert now.keys() - known.keys() <= changed.keys()


def test_only_what_changed_is_copied() -> None:
    """Of a thousand rows, of which two were written to since the last cut, two are copied."""
    written = Written()
    watch = ChangedRows(written.table)
    written.write([*range(1, 1001)])
    watch.cut(whole=True)
    assert len(told(go_on(written, watch, []))) == 1000
    watch.written()
    written.write([7, 900])
    assert len(watch) == 2
    watch.cut(whole=False)
    assert told(go_on(written, watch, [])).keys() == {7, 900}
    watch.written()
    assert len(watch) == 0


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_slices_are_no_larger_than_asked(most: int) -> None:
    """A slice holds as many rows as fit into the bytes asked for, at least one."""
    written = Written()
    watch = ChangedRows(written.table)
    written.write([*range(1, 20)])
    watch.cut(whole=True)
    first = watch.take(most * ROW.itemsize)
    assert first is not None
    assert len(first.rows) == min(most, 19)
    assert first.nbytes > 0


def test_a_watch_that_ended_sees_nothing() -> None:
    """Detached, a table has no listener; the one of another watch is left alone."""
    written = Written()
    watch = ChangedRows(written.table)
    watch.detach()
    assert written.table.listener is None
    other = ChangedRows(written.table)
    watch.detach()
    assert written.table.listener is other
