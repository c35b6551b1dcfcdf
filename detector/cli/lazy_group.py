"""A group of commands that imports a command's module when the command is asked for.

`stillwatch undo` needs neither pandas nor FastAPI; importing every command took four seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS: Final[dict[str, str]] = {
    "demo": "demo:demo",
    "inspect": "inspect:inspect",
    "replay": "replay:replay",
    "calibrate": "calibrate:calibrate",
    "query": "query:query",
    "worker": "worker:worker",
    "cohorts": "cohorts:cohorts",
    "api": "api:api",
    "lake": "lake:lake",
    "rekey": "rekey:rekey",
    "topics": "topics:app",
    "keys": "keys:app",
    "db": "db:app",
    "policy": "policy:app",
    "model": "model:app",
    "allow": "persons:allow",
    "undo": "persons:undo",
    "confirm": "persons:confirm",
}
"""Name of a command -> its module in this package and what is found there, in order of the help."""


class LazyGroup(TyperGroup):
    """The commands of COMMANDS. (Typer's own classes of commands and contexts are private: Any.)"""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names, in order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, its module imported; None where there is none."""
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            self.commands[cmd_name] = _load(cmd_name)
        return self.commands.get(cmd_name)


def _load(name: str) -> Any:
    module, _, attribute = COMMANDS[name].partition(":")
    found = getattr(import_module(f"detector.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        command = get_command(found)
    else:
        alone = typer.Typer(rich_markup_mode="markdown", add_completion=False)
        alone.command(name)(found)
        command = get_command(alone)
    command.name = name
    return command
