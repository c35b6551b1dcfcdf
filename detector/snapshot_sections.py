"""A partition's state as sections of a snapshot, and back.

    TABL  row counts and free rows of the three tables
    ROWS  copies of rows of one table, many sections
    EVID  recent event ids
    JOIN  spans that the intake remembers
    BOOK  clock, counts, verdicts, allow-list, alerts

The small parts are written whole each time; only rows are written as they change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from detector.alerts import OpenAlert
from detector.allowlist import AllowEntry
from detector.changed_rows import RowCopies
from detector.duplicates import EventName
from detector.partition_dump import PartitionDump, unpack_standings
from detector.record_reader import ReaderState
from detector.snapshot_format import ColumnReader, DamagedSnapshot, Section, Texts
from detector.state import PartitionState
from streams.deadletters import CapState
from streams.formats.span_join import JoinState, Seen
from streams.intake import IntakeState

TABLE: Final = b"TABL"
ROWS: Final = b"ROWS"
EVENT_IDS: Final = b"EVID"
JOINS: Final = b"JOIN"
BOOKS: Final = b"BOOK"

TABLES: Final = ("accounts", "end_users", "keys")
_PIECE: Final = 10_000
"""So many entries are encoded in one go: encoding keeps the stream's thread waiting."""


class _PackedBooks(msgspec.Struct, array_like=True):
    """`_Books` as it is written: each alert is packed by itself, which lets other threads in."""

    clock_s: float
    epoch: int
    was_native: bool
    cap: CapState
    standings: bytes
    allowed: list[AllowEntry]
    alerts: list[msgspec.Raw]


class _Books(msgspec.Struct, array_like=True):
    clock_s: float
    epoch: int
    was_native: bool
    cap: CapState
    standings: bytes
    allowed: list[AllowEntry]
    alerts: list[OpenAlert]


@dataclass(frozen=True, slots=True)
class TableShape:
    """Rows of a table at a cut: how many there are, and which are free, the next one last."""

    n_rows: int
    free: list[int]


def shapes_of(state: PartitionState) -> list[TableShape]:
    """Shapes of the three tables, in the order of TABLES."""
    tables = (state.accounts, state.end_users, state.keys)
    return [TableShape(len(table.names), table.dump_free()) for table in tables]


def rows_section(table: int, copies: RowCopies) -> Section:
    """Rows of the table of that number."""
    return Section(
        ROWS,
        {
            "table": np.array([table], np.int32),
            "rows": copies.rows,
            "identities": copies.identities,
            "names": copies.names,
            "content": copies.content,
        },
    )


def small_sections(shapes: list[TableShape], dump: PartitionDump) -> Iterator[Section]:
    """Everything but the rows."""
    yield Section(
        TABLE,
        {
            "n_rows": np.array([shape.n_rows for shape in shapes], np.int64),
            **{
                name: np.array(shape.free, np.int64)
                for name, shape in zip(TABLES, shapes, strict=True)
            },
        },
    )
    reader = dump.reader
    for start in range(0, len(reader.recent), _PIECE):
        ids, accounts, tenants = zip(*reader.recent[start : start + _PIECE], strict=True)
        yield Section(EVENT_IDS, {"ids": ids, "accounts": accounts, "tenants": tenants})
    yield from _join_sections(reader.intake.joins)
    books = _PackedBooks(
        dump.clock_s, dump.epoch, reader.intake.was_native, reader.cap, dump.standings,
        dump.allowed, [msgspec.Raw(msgspec.msgpack.encode(alert)) for alert in dump.alerts],
    )  # fmt: skip
    yield Section(BOOKS, msgspec.msgpack.encode(books))


def _join_sections(joins: JoinState) -> Iterator[Section]:
    for part, known in (("spans", joins.spans), ("responses", joins.responses)):
        for start in range(0, len(known), _PIECE):
            some = known[start : start + _PIECE]
            yield Section(
                JOINS, {part: [key for key, _ in some], **_calls([seen for _, seen in some])}
            )
    for start in range(0, len(joins.prompts), _PIECE):
        prompts = joins.prompts[start : start + _PIECE]
        yield Section(
            JOINS,
            {
                "prompts": [trace for trace, _, _ in prompts],
                "digests": [digest.hex() for _, digest, _ in prompts],
                "counts": np.array([len(calls) for _, _, calls in prompts], np.int64),
                **_calls([seen for _, _, calls in prompts for seen in calls]),
            },
        )
    for start in range(0, len(joins.turns), _PIECE):
        turns, texts, takers = zip(*joins.turns[start : start + _PIECE], strict=True)
        yield Section(JOINS, {"turns": turns, "texts": texts, "takers": takers})


def _calls(seen: list[Seen]) -> dict[str, Texts | np.ndarray[tuple[int], np.dtype[np.float64]]]:
    def times(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        told = [getattr(call, name) for call in seen]
        return np.array([np.nan if at is None else at for at in told], np.float64)

    return {
        "span_id": [call.span_id for call in seen],
        "parent_id": [call.parent_id for call in seen],
        "response_id": [call.response_id for call in seen],
        "start_s": times("start_s"),
        "end_s": times("end_s"),
        "is_log": np.array([call.is_log for call in seen], np.float64),
    }


def _read_calls(columns: ColumnReader) -> list[Seen]:
    def times(name: str) -> list[float | None]:
        told = columns.array(name, np.float64).tolist()
        return [None if at != at else at for at in told]  # noqa: PLR0124  # NaN: no time

    return [
        Seen(*call)
        for call in zip(
            columns.names("span_id"),
            columns.names("parent_id"),
            columns.names("response_id"),
            times("start_s"),
            times("end_s"),
            columns.array("is_log", np.float64).astype(bool).tolist(),
            strict=True,
        )
    ]


@dataclass(slots=True)
class StateBuilder:
    """Puts a partition's state together from a chain of snapshots, oldest first.

    Every method raises DamagedSnapshot.
    """

    state: PartitionState = field(default_factory=PartitionState)
    _shapes: list[TableShape] = field(default_factory=list)
    _recent: list[EventName] = field(default_factory=list)
    _joins: JoinState = field(default_factory=lambda: JoinState([], [], [], []))
    _books: _Books | None = None

    def begin(self) -> None:
        """Begins the next snapshot of the chain: its small parts stand for those before."""
        self._shapes, self._recent, self._books = [], [], None
        self._joins = JoinState([], [], [], [])

    def take(self, kind: bytes, payload: bytes) -> None:
        """Takes a section; one of a kind not known here belongs to a later release."""
        try:
            if kind == BOOKS:
                self._books = msgspec.msgpack.decode(payload, type=_Books)
                unpack_standings(self._books.standings)  # read now: later there is no way back
                return
            columns = ColumnReader(payload)
            if kind == ROWS:
                self._take_rows(columns)
            elif kind == TABLE:
                counts = columns.array("n_rows", np.int64).tolist()
                self._shapes = [
                    TableShape(n, columns.array(name, np.int64).tolist())
                    for name, n in zip(TABLES, counts, strict=True)
                ]
            elif kind == EVENT_IDS:
                self._recent += zip(
                    columns.names("ids"), columns.texts("accounts"), columns.names("tenants"),
                    strict=True,
                )  # fmt: skip
            elif kind == JOINS:
                self._take_joins(columns)
            else:
                raise DamagedSnapshot(f"has a section of kind {kind!r}, which is not known here")
        except (msgspec.DecodeError, ValueError, IndexError, TypeError) as error:
            raise DamagedSnapshot(f"section {kind!r} cannot be read ({error})") from error

    def finish(self) -> tuple[PartitionState, PartitionDump]:
        """The state after the last snapshot of the chain."""
        books = self._books
        if books is None or not self._shapes:
            raise DamagedSnapshot("lacks a section")
        tables = (self.state.accounts, self.state.end_users, self.state.keys)
        try:
            for table, shape in zip(tables, self._shapes, strict=True):
                table.settle(shape.n_rows, shape.free)
        except ValueError as error:
            raise DamagedSnapshot(f"has tables that are not whole ({error})") from error
        reader = ReaderState(IntakeState(books.was_native, self._joins), self._recent, books.cap)
        return self.state, PartitionDump(
            books.clock_s, books.epoch, books.standings, books.allowed, books.alerts, reader
        )

    def _take_rows(self, columns: ColumnReader) -> None:
        tables = (self.state.accounts, self.state.end_users, self.state.keys)
        (number,) = columns.array("table", np.int32).tolist()
        rows = columns.array("rows", np.int32).astype(np.int64)
        tables[number].put(
            rows,
            columns.array("identities", np.uint64),
            columns.names("names"),
            columns.array("content", np.uint8, ndim=2),
        )

    def _take_joins(self, columns: ColumnReader) -> None:
        joins = self._joins
        if columns.has("spans"):
            joins.spans.extend(zip(columns.names("spans"), _read_calls(columns), strict=True))
        elif columns.has("responses"):
            joins.responses.extend(
                zip(columns.names("responses"), _read_calls(columns), strict=True)
            )
        elif columns.has("prompts"):
            calls = iter(_read_calls(columns))
            counts = columns.array("counts", np.int64).tolist()
            digests = map(bytes.fromhex, columns.names("digests"))
            for trace, digest, n in zip(columns.names("prompts"), digests, counts, strict=True):
                joins.prompts.append((trace, digest, tuple(next(calls) for _ in range(n))))
        else:
            joins.turns.extend(
                zip(
                    columns.names("turns"),
                    columns.names("texts"),
                    columns.texts("takers"),
                    strict=True,
                )
            )
