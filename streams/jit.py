"""`njit` for the kernels, with a cache that notices a change in any of their files.

numba's own cache looks at the file of the function it compiles, not at the files of the functions
that are compiled into it: after an edit of one feature group the old machine code would go on
running inside `kernels.apply_events`. So compiled kernels are kept under a digest of all sources
that may take part. This is the one module whose import does something: it has to come first.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from numba import config, njit

_PACKAGE = Path(__file__).parent
_PACKAGES = ("streams", "detector")
"""Where kernels are; they lie side by side."""
_CONSTANTS = ("streams/columns.py", "detector/intents.py", "detector/entities.py")
"""Files without kernels whose constants are compiled into them."""


def source_digest() -> str:
    """sha256 (16 hex digits) over the sources of all kernels and of their constants."""
    digest = hashlib.sha256()
    root = _PACKAGE.parent
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            source = path.read_bytes()
            if b"njit" in source:
                digest.update(source)
    for name in _CONSTANTS:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path | None:
    """Where compiled kernels are kept: beside the package, else in the user's cache folder.

    None where neither can be written; numba then looks for a place of its own.
    """
    for parent in (_PACKAGE / "__pycache__", Path.home() / ".cache" / "stillwatch"):
        folder = parent / f"kernels-{source_digest()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


if not getattr(config, "CACHE_DIR", ""):  # an operator's NUMBA_CACHE_DIR comes first
    _folder = cache_folder()
    if _folder is not None:
        vars(config)["CACHE_DIR"] = str(_folder)  # numba makes its settings at run time

__all__ = ["cache_folder", "njit", "source_digest"]
