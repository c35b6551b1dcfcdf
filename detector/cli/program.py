"""How this program can be called again: for hints that a reader may copy."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

NAME: Final = "stillwatch"


def program() -> str:
    """`stillwatch` where it is on PATH, else its path as it was called, from the working directory.

    A newcomer's `make demo` calls `.venv/bin/stillwatch` without activating the environment.
    """
    called = Path(sys.argv[0])
    if shutil.which(NAME) is not None or called.name != NAME:
        return NAME
    here = Path.cwd()
    path = here / called
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return shlex.quote(f"./{shown}" if shown.parent == Path() else str(shown))
