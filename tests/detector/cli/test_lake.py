"""`stillwatch lake` says in a sentence why it cannot start; `query` finds the store by settings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from detector.lake import Lake
from detector.outputs import Outputs
from tests.detector.builders import T0_S, ask
from tests.detector.test_lake import VERSIONS, facts


def told(*arguments: str, code: int) -> str:
    """What the command prints; it must end with the code."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_no_store_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not guess where to write."""
    monkeypatch.delenv("STILLWATCH_LAKE", raising=False)
    assert "setting lake" in told("lake", code=2)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object store needs its package; the message says which."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    assert "s3fs" in told("lake", "--lake", "s3://bucket/lake", code=2)
    assert "s3fs" in told("query", "SELECT 1", "--lake", "s3://bucket/lake", code=2)


def test_query_reads_the_store_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting that `lake` writes to is where `query` looks."""
    with Lake(tmp_path, "test", VERSIONS) as lake:
        lake.add(facts([ask()], [T0_S]))
        lake.add(Outputs())
    monkeypatch.setenv("STILLWATCH_LAKE", str(tmp_path))
    sql = "SELECT count(*) AS n FROM facts"
    assert told("query", sql, "--format", "json", code=0) == '{"n":1}\n'
