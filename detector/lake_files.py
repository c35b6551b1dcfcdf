"""Where the analysts' store lies and how a file gets there: a folder or an object store, by URL.

    LAKE/facts/tenant=default/day=2026-11-25/NAME.parquet
    LAKE/scores/…  LAKE/alerts/…

Layout: Hive partitioning, read by DuckDB, Spark, pandas and pyarrow alike. `tenant` (percent
encoded where it must be) and `day` (UTC day of event time) are in the path only. How files
become visible: `url_files`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq

from detector.url_files import StoreError, UrlFiles

_PARTITIONS: Final = pa.schema([("tenant", pa.string()), ("day", pa.date32())])

_MOST_FOLDER_CHARS = 200
"""A folder's name ends at 255 bytes in most file systems."""


class LakeError(StoreError):
    """The analysts' store cannot be read or written. Attribute `path`: a path or URL."""


class LakeFiles:
    """The files of one store. Paths are relative to it, with slashes."""

    def __init__(self, url: Path | str) -> None:
        """`url` as in `UrlFiles`. Raises LakeError for one that cannot be used here."""
        self.url = str(url)
        self._files = UrlFiles(url, LakeError)

    def write(self, path: str, table: Any) -> None:
        """Writes a Parquet file that replaces one of that name. Raises LakeError."""
        self._files.write(path, lambda file: pq.write_table(table, file, compression="zstd"))

    def remove(self, paths: Iterable[str]) -> None:
        """Removes files; one that is not there is no error. Raises LakeError."""
        self._files.remove(paths)

    def names(self, table: str) -> list[str]:
        """Paths of a table's whole files, sorted. Raises LakeError."""
        return [name for name in self._files.find(table) if name.endswith(".parquet")]

    def has(self, table: str) -> bool:
        """Whether the table has a folder, or files. Raises LakeError."""
        return self._files.has(table)

    def rows(self, table: str, schema: Any) -> Any:
        """A table's rows (a pyarrow dataset or table) with the columns `tenant` and `day`.

        Columns that a file does not have are null. Raises LakeError.
        """
        whole = pa.unify_schemas([schema, _PARTITIONS])
        names = self.names(table)
        if not names:
            return whole.empty_table()
        if self._files.local:  # pyarrow reads local files without going through Python
            filesystem: Any = pyarrow.fs.LocalFileSystem()
        else:
            filesystem = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(self._files.filesystem))
        return ds.dataset(
            [self._files.at(name) for name in names], schema=whole, format="parquet",
            filesystem=filesystem,
            partitioning=ds.partitioning(_PARTITIONS, flavor="hive"),
            partition_base_dir=self._files.at(table),
        )  # fmt: skip


def part_folder(table: str, tenant: str, day: str) -> str:
    """Folder of a table's rows of one tenant and day.

    A name too long for a folder is cut and told apart by its hash.
    """
    name = quote(tenant, safe="", errors="replace")
    if len(name) > _MOST_FOLDER_CHARS:
        digest = hashlib.blake2b(tenant.encode("utf-8", "replace"), digest_size=8).hexdigest()
        name = f"{quote(tenant[:12], safe='', errors='replace')}~{digest}"
    return f"{table}/tenant={name}/day={day}"
