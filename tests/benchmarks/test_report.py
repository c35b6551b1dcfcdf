"""The benchmark report: rows, goals, the JSON file and the table."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks.report import Goal, Row, missed, print_table, write_json

FAST = Row(
    name="speed",
    value=300.0,
    unit="events/s",
    reference=1000.0,
    ratio=0.3,
    goal=Goal("ratio", "least", 0.3),
    note="2,900 bytes a record",
)
HEAVY = Row(name="memory", value=4000.0, unit="bytes", goal=Goal("value", "most", 3072.0))
SHOWN = Row(name="cue model", value=1.5, unit="µs")


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (FAST, True),
        (Row(name="x", value=1.0, unit="", ratio=0.29, goal=FAST.goal), False),
        (Row(name="x", value=1.0, unit="", goal=FAST.goal), False),
        (HEAVY, False),
        (Row(name="x", value=3072.0, unit="bytes", goal=HEAVY.goal), True),
        (SHOWN, None),
    ],
)
def test_holds(row: Row, holds: bool | None) -> None:
    """A goal is kept at its bound, missed past it or where its figure is absent."""
    assert row.holds is holds


def test_json_has_the_promised_fields(tmp_path: Path) -> None:
    """Every row has every field; what it does not have is null; the folder is made."""
    path = tmp_path / "build" / "bench.json"
    write_json([FAST, HEAVY, SHOWN], path)
    rows = json.loads(path.read_text("utf-8"))
    fields = {"name", "value", "unit", "reference", "ratio", "goal", "holds", "note"}
    assert [set(row) for row in rows] == [fields] * 3
    assert rows[0]["goal"] == "ratio >= 0.3"
    assert [row["holds"] for row in rows] == [True, False, None]
    assert rows[2]["reference"] is None


def test_a_missed_goal_is_loud() -> None:
    """The table names a missed goal once more in words, and only that one."""
    console = Console(file=io.StringIO(), width=200)
    print_table([FAST, HEAVY, SHOWN], console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.count("GOAL MISSED") == 1
    assert "GOAL MISSED  memory: value <= 3,072" in text
    assert missed([FAST, HEAVY, SHOWN]) == [HEAVY]
