"""SQL over the analysts' store: DuckDB in this process, without any access to files of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from detector.lake_files import LakeError, LakeFiles
from detector.lake_tables import TABLES

VIEWS: Final[Mapping[str, str]] = {
    "latest_alerts": "SELECT * FROM alerts "
    "QUALIFY row_number() OVER (PARTITION BY tenant, alert_id ORDER BY revision DESC) = 1",
    "latest_scores": "SELECT * FROM scores QUALIFY row_number() OVER "
    "(PARTITION BY tenant, scope, account, scope_id ORDER BY event_time DESC, requests DESC) = 1",
}
"""Views beside the tables: each alert's last revision, each entity's last scoring."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of the columns and the rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class LakeQuery:
    """Tables facts, scores and alerts of one store, with the columns `tenant` and `day`, and VIEWS.

    The files are those there when the object is made. pyarrow opens them (through fsspec for a
    URL) and hands rows over, filters and columns pushed down, so DuckDB itself may touch no file
    and no network at all. Looking at the kind of statement would not be enough: in DuckDB 2.0
    `WITH a AS (COPY … TO …) SELECT …` counts as a SELECT and writes.
    """

    def __init__(self, folder: Path | str) -> None:
        """`folder`: a path or URL, see `LakeFiles`. Raises LakeError when there is no store."""
        files = LakeFiles(folder)
        if not any(files.has(table) for table in TABLES):
            raise LakeError(
                folder,
                "there is no store here; write one with `stillwatch replay FILE… --parquet DIR`, "
                "`stillwatch demo` or `stillwatch lake` and name it with --lake",
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
            self._database.register(table, files.rows(table, schema))
        for view, sql in VIEWS.items():
            self._database.execute(f"CREATE VIEW {view} AS {sql}")
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


def _first_line(error: Exception) -> str:
    """DuckDB's message without the drawing under the statement."""
    return str(error).split("\n\nLINE", maxsplit=1)[0].replace("\n", " ")
