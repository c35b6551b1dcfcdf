"""Compiled kernels are kept under a digest of every file that takes part in them."""

from __future__ import annotations

from pathlib import Path

import numba
import pytest

from streams import jit


def test_an_edit_of_any_kernel_file_names_another_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change in one feature group changes the digest; a change in other code does not."""
    package = tmp_path / "detector"
    (package / "features").mkdir(parents=True)
    (tmp_path / "streams").mkdir()
    for name in ("intents.py", "entities.py", "../streams/columns.py", "alerts.py"):
        (package / name).write_text("")
    group = package / "features" / "rate.py"
    group.write_text("from streams.jit import njit\n")
    monkeypatch.setattr(jit, "_PACKAGE", tmp_path / "streams")
    before = jit.source_digest()
    (package / "alerts.py").write_text("changed = True\n")
    assert jit.source_digest() == before
    group.write_text("from streams.jit import njit\nX = 1\n")
    assert jit.source_digest() != before


def test_numba_uses_it() -> None:
    """The kernels of this process are kept in the folder that the digest names."""
    assert jit.source_digest() in str(vars(numba.config)["CACHE_DIR"])
