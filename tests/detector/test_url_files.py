"""Files by URL: whole or not there, in a folder, an object store, and where a rename is needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from detector.url_files import StoreError, UrlFiles


class Renaming(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A store whose uploads can be seen half, as SFTP's: files get their name by a rename."""

    protocol = "renaming"
    moves: list[tuple[str, str]] = []  # noqa: RUF012 - of the class, as fsspec's own store is

    def mv(self, path1: str, path2: str, **more: Any) -> None:
        """As ever; noted."""
        self.moves.append((path1, path2))
        super().mv(path1, path2, **more)


fsspec.register_implementation("renaming", Renaming, clobber=True)


@pytest.fixture(params=["folder", "memory", "renaming"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> UrlFiles:
    """Stores of each kind, empty."""
    name = tmp_path.name
    return UrlFiles(str(tmp_path) if request.param == "folder" else f"{request.param}://{name}")


def put(content: bytes) -> Callable[[IO[bytes]], None]:
    """Fills a file with that."""

    def fill(file: IO[bytes]) -> None:
        file.write(content)

    return fill


def read(files: UrlFiles, path: str) -> bytes:
    """A file's content."""
    with files.open(path) as file:
        return file.read()


def test_a_file_is_written_found_replaced_and_removed(files: UrlFiles) -> None:
    """Under its name, in folders that are made; a later one replaces it; twice removed is no error;
    nothing else is left behind."""
    assert files.find("a/b") == []
    files.write("a/b/one", put(b"1"))
    files.write("a/b/two", put(b"2"))
    files.write("a/b/one", put(b"11"))
    assert read(files, "a/b/one") == b"11"
    assert files.find("a/b") == ["a/b/one", "a/b/two"]
    assert files.has("a/b")
    files.remove(["a/b/one", "a/b/none"])
    assert files.find("a") == ["a/b/two"]
    with pytest.raises(StoreError, match="one"):
        files.open("a/b/one")


def test_a_file_that_fails_does_not_appear(files: UrlFiles) -> None:
    """What its filling raises comes out; the file before it is still there, whole."""

    class OwnError(Exception):
        pass

    def fails(file: IO[bytes]) -> None:
        file.write(b"half")
        raise OwnError

    def full(file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    files.write("one", put(b"1"))
    with pytest.raises(OwnError):
        files.write("one", fails)
    with pytest.raises(StoreError, match="No space left"):
        files.write("two", full)
    assert files.find("") == ["one"]
    assert read(files, "one") == b"1"


def test_a_store_without_whole_uploads_is_asked_to_rename() -> None:
    """There a file is uploaded under another name first."""
    files = UrlFiles("renaming://moves")
    files.write("one", put(b"1"))
    (before, after) = Renaming.moves[-1]
    assert before.endswith("/moves/one.partial")
    assert after.endswith("/moves/one")


def test_private_files_are_their_owners(tmp_path: Path) -> None:
    """Readable by nobody else, whatever the process's mask."""
    before = os.umask(0)
    try:
        UrlFiles(tmp_path, private=True).write("a/one", put(b"1"))
        UrlFiles(tmp_path).write("a/two", put(b"2"))
    finally:
        os.umask(before)
    assert (tmp_path / "a/one").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a/two").stat().st_mode & 0o777 == 0o666


def test_urls_of_no_use_are_told_at_once() -> None:
    """An unknown scheme, with its name."""
    with pytest.raises(StoreError, match="nosuch"):
        UrlFiles("nosuch://bucket")
