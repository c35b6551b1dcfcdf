"""`stillwatch query`: SQL over the analysts' store."""

from __future__ import annotations

import csv
import sys
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.cli.stop import plain_errors
from detector.lake_query import Answer, LakeQuery
from detector.settings import load_settings

DEMO_LAKE = "build/demo-lake"


class OutputFormat(StrEnum):
    """How rows are printed."""

    table = "table"
    json = "json"
    csv = "csv"


def query(
    ctx: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT statement.", show_default=False)],
    lake: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Folder or URL that `lake`, `replay --parquet` or `demo` wrote.",
            show_default="the setting lake, else build/demo-lake",
        ),
    ] = None,
    output: Annotated[
        OutputFormat, typer.Option("--format", help="json prints one object a line.")
    ] = OutputFormat.table,
) -> None:
    """Asks the analysts' store in SQL (DuckDB): tables facts, scores and alerts.

    The views latest_alerts and latest_scores hold each alert's last revision and the last scoring
    of each account, key and end user. A URL may be any that fsspec knows, as s3://bucket/lake.
    Nothing but the store can be read and nothing can be written. `DESCRIBE facts` lists columns.

    Examples:

        stillwatch query "SELECT account, max(score) FROM scores GROUP BY 1 ORDER BY 2 DESC"
        stillwatch query "SELECT day, count(*) FROM facts WHERE account IS NULL GROUP BY 1"
        stillwatch query "SELECT * FROM alerts WHERE state = 'open'" --lake lake --format json
    """
    with plain_errors():
        store = lake or load_settings(ctx.obj).lake or DEMO_LAKE
        answer = LakeQuery(str(store)).ask(sql)
    if output is OutputFormat.json:
        for row in answer.rows:
            print(msgspec.json.encode(dict(zip(answer.columns, row, strict=True))).decode())
    elif output is OutputFormat.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows(answer.rows)
    else:
        render(answer, Console())


def render(answer: Answer, console: Console) -> None:
    """Prints an answer for people."""
    table = Table(box=SIMPLE)
    for i, name in enumerate(answer.columns):
        numbers = bool(answer.rows) and isinstance(answer.rows[0][i], int | float)
        table.add_column(Text(name), justify="right" if numbers else "left", overflow="fold")
    for row in answer.rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)
    console.print(f"{len(answer.rows):,} rows", style="dim", highlight=False)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
