"""Keys from content: a stage's result is used again while its code, data and plan are the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]

TRAFFIC = (
    "streams/record.py", "streams/traffic", "models/public_templates.py", "models/accounts.py",
    "models/evaluate/compose.py", "models/evaluate/evade.py", "models/evaluate/matching.py",
    "models/evaluate/units.py",
)  # fmt: skip
"""Code and bank that decide what an account sends."""

TRAINING = ("streams", "detector", "models/corpus")
"""With the workshop's own files: what decides what a fold's model is. More than need be, so that
nothing is missed; services that are no part of it are left out."""

NOT_TRAINING = (
    "detector/api", "detector/cli", "detector/gateways", "detector/sinks", "detector/store",
    "models/__main__.py", "models/calibration_report.py", "models/command_line.py",
    "models/rotate.py", "models/simulated_month.py", "streams/kafka", "streams/memory",
)  # fmt: skip
_SUFFIXES = frozenset({".py", ".jsonl", ".json", ".toml", ".npz", ".gz", ".csv", ".txt"})


def digest(*parts: object) -> str:
    """Short digest of values with a stable repr."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def code_digest(paths: Iterable[str], without: Iterable[str] = ()) -> str:
    """Digest of files and folders of the checkout, names included."""
    left_out = tuple(without)
    found: list[Path] = []
    for name in paths:
        path = ROOT / name
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    lines = [
        (str(p.relative_to(ROOT)), file_digest(p))
        for p in sorted(found)
        if p.suffix in _SUFFIXES and not str(p.relative_to(ROOT)).startswith(left_out)
    ]
    return digest(lines)


def training_digest() -> str:
    """Digest of everything that decides what training makes of the same data."""
    own = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "models").glob("*.py"))
    return code_digest((*TRAINING, *own), NOT_TRAINING)


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
