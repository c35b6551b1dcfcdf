"""Where the analysts' store lies and how a file gets there: a folder or an object store, by URL.

    LAKE/facts/tenant=default/day=2026-11-25/NAME.parquet
    LAKE/scores/…  LAKE/alerts/…

Layout: Hive partitioning, read by DuckDB, Spark, pandas and pyarrow alike. `tenant` (percent
encoded where it must be) and `day` (UTC day of event time) are in the path only. A file is whole
when it appears under its name: written beside it, synced and renamed in a folder, one PUT in an
object store.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from detector.errors import DetectorError

_PUT_STORES: Final = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory"}
)
"""Protocols whose PUT shows a whole object or none; any other store is asked to rename."""

_PARTITIONS: Final = pa.schema([("tenant", pa.string()), ("day", pa.date32())])

_MOST_FOLDER_CHARS = 200
"""A folder's name ends at 255 bytes in most file systems."""


class LakeError(DetectorError):
    """The analysts' store cannot be read or written. Attribute `path`: a path or URL."""

    def __init__(self, path: Path | str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class LakeFiles:
    """The files of one store. Paths are relative to it, with slashes.

    `url`: a folder's path, or a URL that fsspec knows: file://, memory://, and s3://, gs://, az://
    where their packages are installed.
    """

    def __init__(self, url: Path | str) -> None:
        """Opens nothing yet. Raises LakeError for a URL that cannot be used here."""
        self.url = str(url)
        try:
            self._fs, self._root = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            scheme = self.url.split("://", maxsplit=1)[0]
            raise LakeError(
                self.url, f"a package for {scheme}:// is missing ({error}, with pip)"
            ) from error
        except (ValueError, OSError) as error:
            raise LakeError(self.url, f"is no folder and no URL of a store ({error})") from error
        self._local = isinstance(self._fs, LocalFileSystem)
        self._puts = bool(_PUT_STORES & set(_protocols(self._fs)))

    def write(self, path: str, table: Any) -> None:
        """Writes a Parquet file that replaces one of that name. Raises LakeError."""
        try:
            if self._local:
                self._write_local(Path(self._at(path)), table)
                return
            raw = io.BytesIO()
            pq.write_table(table, raw, compression="zstd")
            self._fs.makedirs(self._at(path).rsplit("/", maxsplit=1)[0], exist_ok=True)
            if self._puts:
                self._fs.pipe_file(self._at(path), raw.getvalue())
            else:
                self._fs.pipe_file(self._at(path) + ".partial", raw.getvalue())
                self._fs.mv(self._at(path) + ".partial", self._at(path))
        except OSError as error:
            raise LakeError(
                self._shown(path), f"cannot be written ({error.strerror or error})"
            ) from error

    def remove(self, paths: Iterable[str]) -> None:
        """Removes files; one that is not there is no error. Raises LakeError."""
        for path in paths:
            try:
                self._fs.rm_file(self._at(path))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise LakeError(
                    self._shown(path), f"cannot be removed ({error.strerror or error})"
                ) from error

    def names(self, table: str) -> list[str]:
        """Paths of a table's whole files, sorted. Raises LakeError."""
        try:
            self._fs.invalidate_cache()
            found = self._fs.find(self._at(table))
        except OSError as error:
            raise LakeError(self.url, f"cannot be read ({error.strerror or error})") from error
        start = len(self._root.rstrip("/")) + 1
        return sorted(name[start:] for name in found if name.endswith(".parquet"))

    def has(self, table: str) -> bool:
        """Whether the table has a folder, or files. Raises LakeError."""
        try:
            return bool(self._fs.isdir(self._at(table)))
        except OSError as error:
            raise LakeError(self.url, f"cannot be read ({error.strerror or error})") from error

    def rows(self, table: str, schema: Any) -> Any:
        """A table's rows (a pyarrow dataset or table) with the columns `tenant` and `day`.

        Columns that a file does not have are null. Raises LakeError.
        """
        whole = pa.unify_schemas([schema, _PARTITIONS])
        names = self.names(table)
        if not names:
            return whole.empty_table()
        if self._local:  # pyarrow reads local files without going through Python
            filesystem: Any = pyarrow.fs.LocalFileSystem()
        else:
            filesystem = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(self._fs))
        return ds.dataset(
            [self._at(name) for name in names], schema=whole, format="parquet",
            filesystem=filesystem,
            partitioning=ds.partitioning(_PARTITIONS, flavor="hive"),
            partition_base_dir=self._at(table),
        )  # fmt: skip

    def _write_local(self, path: Path, table: Any) -> None:
        """Durable before it is visible: offsets are committed on the strength of this file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _at(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}"

    def _shown(self, path: str) -> str:
        return f"{self.url.rstrip('/')}/{path}"


def part_folder(table: str, tenant: str, day: str) -> str:
    """Folder of a table's rows of one tenant and day.

    A name too long for a folder is cut and told apart by its hash.
    """
    name = quote(tenant, safe="", errors="replace")
    if len(name) > _MOST_FOLDER_CHARS:
        digest = hashlib.blake2b(tenant.encode("utf-8", "replace"), digest_size=8).hexdigest()
        name = f"{quote(tenant[:12], safe='', errors='replace')}~{digest}"
    return f"{table}/tenant={name}/day={day}"


def _protocols(filesystem: Any) -> tuple[str, ...]:
    told = filesystem.protocol
    return (told,) if isinstance(told, str) else tuple(told)
