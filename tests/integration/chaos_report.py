"""The table of a chaos run: what was done to it, and what was found afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Line:
    """One row. `holds` is None for what is told and not demanded."""

    name: str
    figure: str
    holds: bool | None = None


class ChaosReport:
    """Rows in the order they were added."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._lines: list[Line] = []

    def done(self, name: str, figure: object) -> None:
        """Adds what was done, or how it went."""
        self._lines.append(Line(name, str(figure)))

    def found(self, name: str, figure: object, *, holds: bool) -> None:
        """Adds what was found, and whether it is as it must be."""
        self._lines.append(Line(name, str(figure), holds))

    @property
    def failed(self) -> list[str]:
        """Names of what is not as it must be."""
        return [line.name for line in self._lines if line.holds is False]

    def show(self) -> None:
        """Prints the table."""
        table = Table(title=self._title, title_justify="left")
        table.add_column("what")
        table.add_column("figure", justify="right")
        table.add_column("holds")
        words = {None: "", True: "[green]yes[/]", False: "[bold white on red] NO [/]"}
        for line in self._lines:
            table.add_row(line.name, line.figure, words[line.holds])
        Console(width=110).print(table)
