"""The analysts' store as demo and replay write it: facts, scores and alerts of their outputs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from detector.lake_files import LakeFiles
from detector.lake_rows import LakeRows
from detector.lake_tables import TABLES
from detector.outputs import Outputs

ROWS_HELD = 50_000
"""Rows held back over all tables before they are written."""


class Lake:
    """Writes outputs; a context manager that writes what is left when it closes without error."""

    def __init__(
        self,
        folder: Path | str,
        writer: str,
        versions: Mapping[str, str],
        rows_held: int = ROWS_HELD,
    ) -> None:
        """`folder`: a path or URL, see `LakeFiles`. `writer` begins the files' names: two that
        write at once need two names. `versions` (what the outputs were made with) go into each
        file's metadata. Raises LakeError for a URL that cannot be used.
        """
        self._files = LakeFiles(folder)
        self._writer = writer
        self._metadata = {f"stillwatch.{name}": value for name, value in versions.items()}
        self._rows_held = rows_held
        self._rows = LakeRows()
        self._written = 0

    def forget(self) -> None:
        """Removes the files that this writer's name left before. Raises LakeError."""
        for table in TABLES:
            names = self._files.names(table)
            mine = (n for n in names if n.rsplit("/", 1)[-1].startswith(f"{self._writer}-"))
            self._files.remove(mine)

    def add(self, out: Outputs) -> None:
        """Takes one batch's outputs. Raises LakeError when the folder cannot be written."""
        for batch in out.facts:
            self._rows.add_facts(batch.requests, batch.times_s, batch.new_pieces)
        self._rows.add_scores(out.scores)
        self._rows.add_alerts(out.alerts)
        if self._rows.count >= self._rows_held:
            self.flush()

    def flush(self) -> None:
        """Writes all rows held. Raises LakeError."""
        for folder, rows in self._rows.files():
            path = f"{folder}/{self._writer}-{self._written:05d}.parquet"
            self._files.write(path, rows.replace_schema_metadata(self._metadata))
            self._written += 1
        self._rows.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.flush()


def clear_lake(folder: Path) -> None:
    """Removes the three tables and nothing else of a folder."""
    for table in TABLES:
        shutil.rmtree(folder / table, ignore_errors=True)
