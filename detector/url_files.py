"""Files in a folder or an object store, by URL; a file is whole when it appears under its name.

In a folder it is written beside its place, synced and renamed; in an object store it is one PUT
(or multi-part upload), which shows the whole object or none.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, Final, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from detector.errors import DetectorError

PARTIAL: Final = ".partial"
"""Ending of a file that is being written."""

_PUT_STORES: Final = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory"}
)
"""Protocols whose PUT shows a whole object or none; any other store is asked to rename."""


class StoreError(DetectorError):
    """A store cannot be read or written. Attribute `path`: a path or URL."""

    def __init__(self, path: Path | str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class UrlFiles:
    """The files of one store. Paths are relative to it, with slashes.

    Attributes:
        filesystem: fsspec's.
        local: whether it is a folder of this machine.
    """

    def __init__(
        self, url: Path | str, error: type[StoreError] = StoreError, *, private: bool = False
    ) -> None:
        """Opens nothing yet. Raises `error`, as every method does, for a URL of no use here.

        url: a folder's path, or a URL that fsspec knows: file://, memory://, and s3://, gs://,
            az:// where their packages are installed.
        private: files of a folder are readable by their owner only.
        """
        self.url = str(url)
        self._error = error
        self._mode = 0o600 if private else 0o666
        try:
            self.filesystem, self._root = fsspec.core.url_to_fs(self.url)
        except ImportError as missing:
            scheme = self.url.split("://", maxsplit=1)[0]
            raise error(
                self.url, f"a package for {scheme}:// is missing ({missing}, with pip)"
            ) from missing
        except (ValueError, OSError) as wrong:
            raise error(self.url, f"is no folder and no URL of a store ({wrong})") from wrong
        self.local = isinstance(self.filesystem, LocalFileSystem)
        self._puts = bool(_PUT_STORES & set(_protocols(self.filesystem)))

    def write(self, path: str, fill: Callable[[IO[bytes]], None]) -> None:
        """Writes a file, by `fill`, that replaces one of that name; nothing where `fill` raises."""
        try:
            if self.local:
                self._write_local(Path(self.at(path)), fill)
            else:
                self._upload(self.at(path), fill)
        except OSError as error:
            raise self._error(
                self.shown(path), f"cannot be written ({error.strerror or error})"
            ) from error

    def open(self, path: str) -> IO[bytes]:
        """Opens a file to be read."""
        try:
            return cast("IO[bytes]", self.filesystem.open(self.at(path), "rb"))
        except OSError as error:
            raise self._error(
                self.shown(path), f"cannot be read ({error.strerror or error})"
            ) from error

    def find(self, folder: str) -> list[str]:
        """Paths of all files under a folder, sorted; those being written too."""
        try:
            self.filesystem.invalidate_cache()
            found = self.filesystem.find(self.at(folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._error(self.url, f"cannot be read ({error.strerror or error})") from error
        start = len(self._root.rstrip("/")) + 1
        return sorted(name[start:] for name in found)

    def remove(self, paths: Iterable[str]) -> None:
        """Removes files; one that is not there is no error."""
        for path in paths:
            try:
                self.filesystem.rm_file(self.at(path))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._error(
                    self.shown(path), f"cannot be removed ({error.strerror or error})"
                ) from error

    def has(self, folder: str) -> bool:
        """Whether there is such a folder, or files under it."""
        try:
            return bool(self.filesystem.isdir(self.at(folder)))
        except OSError as error:
            raise self._error(self.url, f"cannot be read ({error.strerror or error})") from error

    def at(self, path: str) -> str:
        """A path as the filesystem knows it."""
        return f"{self._root.rstrip('/')}/{path}"

    def shown(self, path: str) -> str:
        """A path as it is told to people."""
        return f"{self.url.rstrip('/')}/{path}"

    def _write_local(self, path: Path, fill: Callable[[IO[bytes]], None]) -> None:
        """Durable before it is visible: others build on the strength of this file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + PARTIAL)
        try:
            with open(partial, "wb", opener=lambda p, flags: os.open(p, flags, self._mode)) as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _upload(self, path: str, fill: Callable[[IO[bytes]], None]) -> None:
        """By way of a temporary file: a store takes no half of one."""
        with tempfile.NamedTemporaryFile() as spool:
            fill(cast("IO[bytes]", spool))
            spool.flush()
            self.filesystem.makedirs(path.rsplit("/", maxsplit=1)[0], exist_ok=True)
            if self._puts:
                self.filesystem.put_file(spool.name, path)
            else:
                self.filesystem.put_file(spool.name, path + PARTIAL)
                self.filesystem.mv(path + PARTIAL, path)


def _protocols(filesystem: Any) -> tuple[str, ...]:
    told = filesystem.protocol
    return (told,) if isinstance(told, str) else tuple(told)
