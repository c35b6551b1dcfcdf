"""Rows of the benchmark run: the table on the terminal and `build/bench.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table


class Goal(msgspec.Struct, frozen=True):
    """A bound that a row's value or its ratio must keep."""

    of: Literal["value", "ratio"]
    at: Literal["least", "most"]
    bound: float

    def __str__(self) -> str:
        return f"{self.of} {'>=' if self.at == 'least' else '<='} {self.bound:,g}"


class Row(msgspec.Struct, kw_only=True, frozen=True):
    """One measured figure.

    `value` in `unit`, beside `reference`, measured in the same run in the same unit; `ratio` is
    value ÷ reference unless the note says otherwise (a median of paired ratios, say). What a row
    does not have is None. `note` tells what the figure was measured on.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    goal: Goal | None = None
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        figure = self.value if self.goal.of == "value" else self.ratio
        if figure is None:
            return False
        bound = self.goal.bound
        return figure >= bound if self.goal.at == "least" else figure <= bound


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Writes the rows as a JSON list of objects; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    out = [
        {
            "name": row.name,
            "value": row.value,
            "unit": row.unit,
            "reference": row.reference,
            "ratio": row.ratio,
            "goal": None if row.goal is None else str(row.goal),
            "holds": row.holds,
            "note": row.note,
        }
        for row in rows
    ]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(out), indent=2) + b"\n")


def print_table(rows: Sequence[Row], console: Console) -> None:
    """Prints the rows, and every missed goal once more in words."""
    table = Table(title="Stillwatch benchmarks (one core)", title_justify="left")
    table.add_column("measured", overflow="fold")
    for name in ("value", "reference", "ratio"):
        table.add_column(name, justify="right")
    table.add_column("goal")
    table.add_column("holds")
    table.add_column("note", overflow="fold", style="dim")
    for row in rows:
        verdict = {None: "", True: "[green]yes[/]", False: "[bold white on red] NO [/]"}[row.holds]
        table.add_row(
            row.name,
            f"{_number(row.value)} {row.unit}",
            "" if row.reference is None else _number(row.reference),
            "" if row.ratio is None else f"{row.ratio:.3f}",
            "" if row.goal is None else str(row.goal),
            verdict,
            row.note,
        )
    console.print(table)
    for row in missed(rows):
        console.print(f"[bold white on red] GOAL MISSED [/] {row.name}: {row.goal}")


def missed(rows: Sequence[Row]) -> list[Row]:
    """The rows whose goal is not met."""
    return [row for row in rows if row.holds is False]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
