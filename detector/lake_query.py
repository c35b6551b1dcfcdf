"""SQL over the analysts' store: DuckDB in this process, locked to reading the one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from detector.lake import TABLES, LakeError

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of the columns and the rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class LakeQuery:
    """Views facts, scores and alerts over one folder.

    Two locks, since either may fail alone: the statement must be one that reads, and DuckDB may
    reach no file outside the folder, no network, no extension, and change no setting.
    """

    def __init__(self, folder: Path) -> None:
        """Raises LakeError when there is no store."""
        if not any((folder / table).is_dir() for table in TABLES):
            raise LakeError(
                folder,
                "there is no store here; write one with `stillwatch replay FILE… --parquet DIR` "
                "or `stillwatch demo` and name it with --lake",
            )
        root = folder.resolve()
        self._folder = folder
        self._database = duckdb.connect(
            config={
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
            }
        )
        try:
            for table, schema in TABLES.items():
                self._view(root / table, table, schema)
            self._database.execute("SET TimeZone = 'UTC'")
            self._database.execute(f"SET allowed_directories = [{_quoted(f'{root}/')}]")
            self._database.execute("SET enable_external_access = false")
            self._database.execute("SET lock_configuration = true")
        except duckdb.Error as error:
            raise LakeError(folder, _first_line(error)) from error

    def ask(self, sql: str) -> Answer:
        """Runs one reading statement. Raises LakeError with what DuckDB says."""
        try:
            statements = self._database.extract_statements(sql)
            if len(statements) != 1 or statements[0].type not in _READING:
                raise LakeError(self._folder, "one SELECT statement is taken, nothing else")
            found = self._database.execute(statements[0])
            columns = tuple(str(column[0]) for column in found.description or ())
            return Answer(columns, found.fetchall())
        except duckdb.Error as error:
            raise LakeError(self._folder, _first_line(error)) from error

    def _view(self, folder: Path, table: str, schema: Any) -> None:
        pattern = f"{folder}/*/*/*.parquet"
        if next(folder.glob("*/*/*.parquet"), None) is not None:
            self._database.execute(
                f"CREATE VIEW {table} AS SELECT * FROM read_parquet({_quoted(pattern)}, "  # noqa: S608
                "hive_partitioning = true, union_by_name = true, "
                "hive_types = {'tenant': VARCHAR, 'day': DATE})"
            )
            return
        empty = schema.append(pa.field("day", pa.date32())).append(pa.field("tenant", pa.string()))
        self._database.register("_empty", empty.empty_table())
        self._database.execute(f"CREATE TABLE {table} AS SELECT * FROM _empty")  # noqa: S608
        self._database.unregister("_empty")


def _quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: duckdb.Error) -> str:
    """DuckDB's message without the drawing under the statement."""
    return str(error).split("\n\nLINE", maxsplit=1)[0].replace("\n", " ")
