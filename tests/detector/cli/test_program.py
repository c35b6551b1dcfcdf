"""How hints name the program."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from detector.cli.program import program


@pytest.mark.parametrize(
    ("called", "shown"),
    [
        (".venv/bin/stillwatch", ".venv/bin/stillwatch"),
        ("{here}/.venv/bin/stillwatch", ".venv/bin/stillwatch"),
        ("./stillwatch", "./stillwatch"),
        ("my env/stillwatch", "'my env/stillwatch'"),
        ("/elsewhere/stillwatch", "/elsewhere/stillwatch"),
        ("pytest", "stillwatch"),
    ],
)
def test_off_the_path_it_is_named_as_it_was_called(
    called: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint can be copied from where the reader stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "argv", [called.format(here=tmp_path)])
    assert program() == shown


def test_on_the_path_it_is_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it was called."""
    tool = tmp_path / "stillwatch"
    tool.touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    monkeypatch.setattr(sys, "argv", [".venv/bin/stillwatch"])
    assert program() == "stillwatch"
