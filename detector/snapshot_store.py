"""The snapshots in a folder or an object store: written, found, read, pruned.

A snapshot is a file; a changed one builds on the file before it, down to a full one. A take-over
takes the newest whose whole chain can be read and fits; any other is named in a warning and the
next one is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Final

import msgspec
import structlog

from detector.partition_dump import PartitionDump
from detector.snapshot_format import DamagedSnapshot, SectionReader
from detector.snapshot_head import Head, Mark, Place
from detector.snapshot_names import SnapshotName, folder_of, read_name
from detector.snapshot_sections import StateBuilder
from detector.state import PartitionState
from detector.url_files import PARTIAL, StoreError, UrlFiles

KEPT: Final = 2
"""So many full snapshots of a partition are kept, with what builds on them."""

_MOST_LINKS: Final = 10_000

log = structlog.get_logger()


class SnapshotError(StoreError):
    """The store of snapshots cannot be read or written. Attribute `path`: a path or URL."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A state that was read.

    Attributes:
        name: of the last file of its chain, `head` and `check` that file's.
        state, dump: what a partition goes on with.
    """

    name: SnapshotName
    head: Head
    check: str
    state: PartitionState
    dump: PartitionDump


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        loaded: None when there is none that fits.
        skipped: how many newer files could not be used.
        ahead: names of files that are ahead of the committed offset: of a run that was taken back.
        seen: names of all files.
    """

    loaded: Loaded | None
    skipped: int
    ahead: tuple[SnapshotName, ...]
    seen: tuple[SnapshotName, ...]


class SnapshotStore:
    """Snapshots of all places under one URL. Safe to be used by several threads."""

    def __init__(self, url: str) -> None:
        """Opens nothing yet. Raises SnapshotError for a URL of no use here."""
        self._files = UrlFiles(url, SnapshotError, private=True)

    def write(self, place: Place, name: SnapshotName, fill: Callable[[IO[bytes]], None]) -> None:
        """Writes a file, which appears whole or not at all.

        Raises SnapshotError, and what `fill` raises.
        """
        self._files.write(f"{folder_of(place)}/{name}", fill)

    def names(self, place: Place) -> list[SnapshotName]:
        """All snapshots of a place, oldest first; foreign files are named in a warning.

        Raises SnapshotError.
        """
        found = []
        for path in self._files.find(folder_of(place)):
            name = read_name(path.rsplit("/", maxsplit=1)[-1])
            if name is not None:
                found.append(name)
            elif not path.endswith(PARTIAL):
                log.warning(f"{self._files.shown(path)} is no snapshot; it is left alone")
        return sorted(found)

    def newest(self, place: Place, committed: int, past: Sequence[Mark]) -> Found:
        """Reads the newest state that is not ahead of `committed` and that can be used.

        past: what the control topic says was applied up to there. Raises SnapshotError when the
        store cannot be listed.
        """
        names = self.names(place)
        ahead = tuple(name for name in names if name.next_offset > committed)
        for name in ahead:
            self._skip(place, name, f"is ahead of the committed offset {committed}")
        search = _Search(self._files, place, past)
        skipped = len(ahead)
        for name in reversed(names[: len(names) - len(ahead)]):
            try:
                loaded = search.load(name)
            except (DamagedSnapshot, SnapshotError) as error:
                self._skip(place, name, str(error))
                skipped += 1
            else:
                return Found(loaded, skipped, ahead, tuple(names))
        return Found(None, skipped, ahead, tuple(names))

    def prune(self, place: Place, newest: SnapshotName, stale: Iterable[SnapshotName]) -> None:
        """Removes what is not needed once `newest`, a full one, is written.

        Of the files up to it, the last KEPT full ones stay, and what builds on them; `stale` go
        whatever they are. What is later than `newest` is another member's. Raises SnapshotError.
        """
        names = [name for name in self.names(place) if name <= newest]
        fulls = [name for name in names if name.kind == "full"]
        first = fulls[-KEPT] if len(fulls) >= KEPT else None
        gone = {name for name in names if first is not None and name < first}
        gone.update(name for name in stale if name != newest)
        folder = folder_of(place)
        partial = [
            path
            for path in self._files.find(folder)
            if path.endswith(PARTIAL) and path < f"{folder}/{newest}"
        ]
        # The newest first: what builds on another one must not outlive it.
        ordered = sorted(gone, reverse=True)
        self._files.remove([*(f"{folder}/{name}" for name in ordered), *partial])

    def _skip(self, place: Place, name: SnapshotName, reason: str) -> None:
        path = self._files.shown(f"{folder_of(place)}/{name}")
        log.warning(f"snapshot {path} is skipped: {reason}", partition=place.partition)


class _Search:
    """Reads chains of one place; remembers what was found to be bad."""

    def __init__(self, files: UrlFiles, place: Place, past: Sequence[Mark]) -> None:
        self._files = files
        self._place = place
        self._past = past
        self._bad: dict[str, str] = {}
        self._heads: dict[str, Head] = {}
        self._wanted = ""

    def load(self, name: SnapshotName) -> Loaded:
        """The state of a chain by its last file. Raises DamagedSnapshot, SnapshotError."""
        self._wanted = str(name)
        chain = self._chain(str(name))
        head = self._heads[str(name)]
        contradiction = head.contradiction(self._past)
        if contradiction is not None:
            raise DamagedSnapshot(contradiction)
        builder = StateBuilder()
        check = ""
        for at in reversed(chain):
            wanted = self._heads[at].base_check
            if wanted is not None and wanted != check:
                raise self._found_bad(at, "builds on a file that was replaced since")
            check = self._read(at, builder)
        state, dump = builder.finish()
        return Loaded(name, head, check, state, dump)

    def _chain(self, name: str) -> list[str]:
        """Names from this file down to its full one."""
        chain = [name]
        while True:
            head = self._head(chain[-1])
            if head.kind == "full":
                return chain
            if head.base is None or head.base_check is None or len(chain) > _MOST_LINKS:
                raise self._found_bad(name, "does not say what it builds on")
            if read_name(head.base) is None or head.base in chain:
                raise self._found_bad(name, "builds on no snapshot")
            chain.append(head.base)

    def _head(self, name: str) -> Head:
        if name in self._bad:
            raise self._found_bad(name, self._bad[name])
        head = self._heads.get(name)
        if head is not None:
            return head
        try:
            with self._files.open(self._path(name)) as file:
                head = _decode(SectionReader(file).head())
        except (DamagedSnapshot, SnapshotError, OSError) as error:
            raise self._found_bad(name, str(error)) from error
        misfit = head.misfit(self._place)
        told = read_name(name)
        if misfit is None and (
            told is None or (told.next_offset, told.kind) != (head.next_offset, head.kind)
        ):
            misfit = "was renamed"
        if misfit is not None:
            raise self._found_bad(name, misfit)
        self._heads[name] = head
        return head

    def _read(self, name: str, builder: StateBuilder) -> str:
        try:
            with self._files.open(self._path(name)) as file:
                reader = SectionReader(file)
                if _decode(reader.head()) != self._heads[name]:
                    raise DamagedSnapshot("changed while it was read")
                builder.begin()
                for kind, payload in reader.rest():
                    builder.take(kind, payload)
        except (DamagedSnapshot, SnapshotError, OSError) as error:
            raise self._found_bad(name, str(error)) from error
        return reader.check

    def _found_bad(self, name: str, reason: str) -> DamagedSnapshot:
        self._bad[name] = reason
        return DamagedSnapshot(reason if name == self._wanted else f"builds on {name}: {reason}")

    def _path(self, name: str) -> str:
        return f"{folder_of(self._place)}/{name}"


def _decode(raw: bytes) -> Head:
    try:
        return msgspec.json.decode(raw, type=Head)
    except msgspec.DecodeError as error:
        raise DamagedSnapshot(f"its header cannot be read ({error})") from error
