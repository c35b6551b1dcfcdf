"""Every command that speaks to Kafka takes `--kafka`, alike."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from detector.cli.main import app

COMMANDS = [
    ("worker",),
    ("api",),
    ("lake",),
    ("rekey",),
    ("topics", "create"),
    ("topics", "acls"),
    ("policy", "apply"),
    ("model", "apply"),
    ("allow",),
    ("undo",),
    ("confirm",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_option_is_the_same_everywhere(command: tuple[str, ...]) -> None:
    """The same name and the same help."""
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "--kafka" in result.output
    assert "Kafka brokers, separated by commas" in result.output


def test_the_option_is_where_the_command_connects() -> None:
    """It is what a switch is sent to, and it is named when nobody answers there."""
    command = ["undo", "x", "--reason", "r", "--by", "me", "--kafka", "127.0.0.1:1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "127.0.0.1:1" in result.output
