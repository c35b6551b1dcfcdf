"""Figures and tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from models.evaluate.findings import Row

Table = list[list[str]]


def rate_text(found: Row | None, *, short: bool = False) -> str:
    """A rate with its interval; a dash where there is none."""
    if found is None:
        return "–"
    value = f"{found['value']:.3f}".removeprefix("0") if found["value"] < 1 else "1"
    return value if short else f"{value} ({found['low']:.3f}–{found['high']:.3f})"


def number_text(value: float | None) -> str:
    """Three digits, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def rows_text(rows: Sequence[Row]) -> str:
    """A table of rows that name their columns."""
    if not rows:
        return "Nothing to tell."
    head = list(rows[0])
    return table_text([head, *([str(r[name]) for name in head] for r in rows)])


def table_text(rows: Table) -> str:
    """A table; its first row is the head."""
    if len(rows) < 2:
        return "Nothing to tell."
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows[1:]])
