"""Which files of the checkout a module's results depend on: itself and all that it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("streams", "detector", "models")


def import_closure(modules: Iterable[str]) -> list[Path]:
    """Source files of the modules and of everything of this project that they import, directly or
    not, whether at the top of a file or inside a function; in the order of their paths."""
    found: set[Path] = set()
    waiting = [path for name in modules for path in _files(name)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [p for name in _imported(path) for p in _files(name)]
    return sorted(found)


def _files(name: str) -> list[Path]:
    """The module's file and its packages' __init__; none where the name is no module of ours."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return []
    out = [
        path
        for n in range(1, len(parts))
        if (path := ROOT.joinpath(*parts[:n], "__init__.py")).is_file()
    ]
    last = ROOT.joinpath(*parts)
    return out + [p for p in (last.with_suffix(".py"), last / "__init__.py") if p.is_file()]


@lru_cache(maxsize=1024)
def _imported(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)
