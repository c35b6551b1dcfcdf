"""Keys from content: a stage's result is used again while its code, data and plan are the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.evaluate.import_closure import ROOT, import_closure

DATA_OF_CODE = ("streams/traffic/bank", "models/corpus")
"""Folders of the checkout that code reads without importing."""

READERS = ("streams/formats", "streams/intake.py", "streams/privacy.py")
"""Reach composed traffic through imports alone: it is made as records and passes no reader."""

_SUFFIXES = frozenset({".py", ".jsonl", ".json", ".toml", ".npz", ".gz", ".csv", ".txt"})


def digest(*parts: object) -> str:
    """Short digest of values with a stable repr."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def code_digest(modules: Iterable[str], without: Iterable[str] = ()) -> str:
    """Digest of the files that the modules' results depend on, names included: their own, those of
    what they import, and the bank and corpus. `without`: starts of paths to leave out."""
    left_out = tuple(without)
    found = import_closure(modules)
    for folder in DATA_OF_CODE:
        found += [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix in _SUFFIXES]
    names = {str(p.relative_to(ROOT)): p for p in found}
    return digest([(n, file_digest(names[n])) for n in sorted(names) if not n.startswith(left_out)])


def files_digest(*names: str) -> str:
    """Digest of files of the checkout and of nothing that they import."""
    return digest([(name, file_digest(ROOT / name)) for name in names])


def data_digest(*folders: Path | None) -> str:
    """Digest of all files of the folders; None counts too."""
    lines: list[object] = []
    for folder in folders:
        lines.append(None)
        if folder is not None:
            files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in _SUFFIXES)
            lines += [(str(p.relative_to(folder)), file_digest(p)) for p in files]
    return digest(lines)


@lru_cache(maxsize=4096)
def file_digest(path: Path) -> str:
    """Digest of one file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def load_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Arrays of a file that `save_arrays` wrote; none where there is no file."""
    if not path.exists():
        return {}
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def save_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Writes whole or not at all, so that a killed run leaves nothing half done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez(file, **dict(arrays))  # type: ignore[arg-type]
    temporary.replace(path)
