"""The smaller commands and what all of them share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer import Context
from typer.main import get_command
from typer.testing import CliRunner

from detector.cli.main import app
from detector.policy import default_policy_path
from tests.detector.builders import T0_S, ask
from tests.detector.logs import write_log


def run(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Runs a command; (stdout, stderr)."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two records and a broken line between them."""
    requests = [ask(event_id=f"e{i}", event_time_s=T0_S + i) for i in range(2)]
    return write_log(tmp_path / "log.jsonl", requests, b"{broken")


def commands(group: Any, *before: str) -> Iterator[tuple[str, str]]:
    """Each command as it is typed, subcommands too, and its help."""
    context = Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        words = (*before, name)
        if hasattr(command, "commands"):
            yield from commands(command, *words)
        else:
            yield " ".join(words), command.help or ""


COMMANDS = dict(commands(get_command(app)))


def test_every_command_is_there() -> None:
    """Under the names that documents and scripts call them by."""
    assert set(COMMANDS) >= {
        "demo", "inspect", "replay", "calibrate", "query", "api", "lake", "worker", "allow", "undo",
        "confirm",
        "policy check", "policy apply", "topics create", "keys new", "keys list", "model apply",
        "db upgrade", "db prune",
    }  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_shows_an_example(command: str) -> None:
    """A reader can copy a line that works: it calls this command, and examples stand one a line."""
    stdout, _ = run(*command.split(), "--help")
    assert f"stillwatch {command} " in " ".join(stdout.split()).split("Example")[1]
    examples = re.split(r"^ *Examples?: ?", COMMANDS[command], flags=re.M)[1]
    lines = [line.strip(" `") for line in examples.splitlines() if line.strip()]
    assert any(f"stillwatch {command}" in line for line in lines)
    assert all(len(re.findall(r"(?:^| )stillwatch ", line)) == 1 for line in lines)


def test_inspect_json_is_one_line_a_record(log: Path) -> None:
    """Line numbers, formats and requests; an error where there is one."""
    stdout, _ = run("inspect", log, "--json")
    first, second, third = (json.loads(line) for line in stdout.splitlines())
    assert (first["line"], first["format"]) == (1, "native")
    assert first["records"][0]["account"] == "acme"
    assert second["line"] == 2
    assert second["error"]
    assert third["records"][0]["event_id"] == "e1"


def test_inspect_shows_format_and_coverage(log: Path) -> None:
    """The report for people names the format and counts what was read."""
    stdout, _ = run("inspect", log)
    assert "native" in stdout
    assert "3 records, 2 requests" in " ".join(stdout.split())


def test_inspect_of_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """Exit 2 and the path."""
    _, stderr = run("inspect", tmp_path / "none", code=2)
    assert "none: No such file or directory" in stderr


def test_account_from_reads_another_place(tmp_path: Path) -> None:
    """The option replaces the format's own place for the account."""
    path = tmp_path / "log.jsonl"
    record = {"event_time_s": T0_S, "account": "a", "end_user": "u", "messages": []}
    path.write_text(json.dumps(record) + "\n")
    stdout, _ = run("inspect", path, "--json", "--account-from", "end_user")
    assert json.loads(stdout)["records"][0]["account"] == "u"


def test_policy_check_shows_a_policys_version() -> None:
    """The packaged policy passes."""
    stdout, _ = run("policy", "check", default_policy_path())
    assert "default-1+" in stdout
    assert "restrict" in stdout


def test_policy_check_names_the_field(tmp_path: Path) -> None:
    """A wrong value is one sentence with the field, exit 2."""
    path = tmp_path / "policy.toml"
    path.write_text(default_policy_path().read_text().replace("shadow = ", "shadow = 3 #", 1))
    _, stderr = run("policy", "check", path, code=2)
    assert "shadow" in stderr
    assert len(stderr.splitlines()) == 1


def test_query_prints_table_json_and_csv(tmp_path: Path) -> None:
    """The same rows in three dresses."""
    (tmp_path / "facts").mkdir()
    sql = "SELECT 1 AS n, 'a,b' AS t, NULL AS nothing"
    table, _ = run("query", sql, "--lake", tmp_path)
    assert "1 rows" in table
    lines, _ = run("query", sql, "--lake", tmp_path, "--format", "json")
    assert json.loads(lines) == {"n": 1, "t": "a,b", "nothing": None}
    text, _ = run("query", sql, "--lake", tmp_path, "--format", "csv")
    assert text == 'n,t,nothing\n1,"a,b",\n'


def test_query_without_a_store_is_a_sentence(tmp_path: Path) -> None:
    """It says how to make one."""
    _, stderr = run("query", "SELECT 1", "--lake", tmp_path / "none", code=2)
    assert "--parquet" in stderr


def test_a_settings_file_is_read(log: Path, tmp_path: Path) -> None:
    """A wrong setting in it stops any command that reads settings, with its name."""
    settings = tmp_path / "settings.toml"
    settings.write_text("colour = 'red'\n")
    _, stderr = run("--settings", settings, "inspect", log, code=2)
    assert "setting colour" in stderr
