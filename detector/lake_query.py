"""SQL over the analysts' store: DuckDB in this process, without any access to files of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from detector.lake import TABLES, LakeError

_PARTITIONS = pa.schema([("tenant", pa.string()), ("day", pa.date32())])


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of the columns and the rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class LakeQuery:
    """Tables facts, scores and alerts of one folder, with the columns `tenant` and `day`.

    pyarrow opens the files and hands rows over (filters and columns are pushed down), so DuckDB
    itself may touch no file and no network at all. Looking at the kind of statement would not be
    enough: in DuckDB 2.0 `WITH a AS (COPY … TO …) SELECT …` counts as a SELECT and writes.
    """

    def __init__(self, folder: Path) -> None:
        """Raises LakeError when there is no store."""
        if not any((folder / table).is_dir() for table in TABLES):
            raise LakeError(
                folder,
                "there is no store here; write one with `stillwatch replay FILE… --parquet DIR` "
                "or `stillwatch demo` and name it with --lake",
            )
        self._folder = folder
        self._database = duckdb.connect(
            config={
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
            }
        )
        self._database.execute("SET TimeZone = 'UTC'")
        for table, schema in TABLES.items():
            self._database.register(table, _rows_of(folder / table, schema))
        # The folder for spilled rows would stay open to COPY.
        self._database.execute("SET temp_directory = ''")
        self._database.execute("SET enable_external_access = false")
        self._database.execute("SET lock_configuration = true")

    def ask(self, sql: str) -> Answer:
        """Runs one reading statement. Raises LakeError with what DuckDB says."""
        try:
            statements = self._database.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise LakeError(self._folder, "one SELECT statement is taken, nothing else")
            found = self._database.execute(statements[0])
            columns = tuple(str(column[0]) for column in found.description or ())
            return Answer(columns, found.fetchall())
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise LakeError(self._folder, _first_line(error)) from error


def _rows_of(folder: Path, schema: Any) -> Any:
    """A table's rows; columns that a file does not have yet are null."""
    files = sorted(str(path) for path in folder.glob("tenant=*/day=*/*.parquet"))
    whole = pa.unify_schemas([schema, _PARTITIONS])
    if not files:
        return whole.empty_table()
    partitioning = ds.partitioning(_PARTITIONS, flavor="hive")
    return ds.dataset(
        files, schema=whole, format="parquet", partitioning=partitioning,
        partition_base_dir=str(folder),
    )  # fmt: skip


def _first_line(error: Exception) -> str:
    """DuckDB's message without the drawing under the statement."""
    return str(error).split("\n\nLINE", maxsplit=1)[0].replace("\n", " ")
