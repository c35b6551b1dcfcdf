"""Commands of the workshop: train what ships, and try it on tools it never saw."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = Console(stderr=True)

ARTIFACTS = Path(__file__).parent / "artifacts"
SEED = 20_261_125


@app.callback()
def workshop() -> None:
    """Train what ships, and try it on tools that training never saw."""
    structlog.configure(  # stdout is for results; a rotation would say "no GPU" for every tool
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


DataOption = Annotated[
    Path | None,
    typer.Option(help="Data folder; default: $STILLWATCH_DATA, else ../shared, with data/ below."),
]
OutOption = Annotated[Path, typer.Option(help="Folder for the artifacts.")]


def data_folder(given: Path | None) -> Path | None:
    """The folder with `data/` and `captures/`, or None where there is none."""
    folder = given or Path(os.environ.get("STILLWATCH_DATA", "../shared"))
    return folder if (folder / "data").is_dir() else None


@app.command(name="train")
def train_command(
    data: DataOption = None, out: OutOption = ARTIFACTS, version: str = "0.1.0", seed: int = SEED
) -> None:
    """Train cue model and account classifier and write them with their cards."""
    from models.train import train  # noqa: PLC0415  (scikit-learn is slow to import)

    folder = data_folder(data)
    if folder is None:
        console.print("[yellow]no data folder: training on the bank and the corpus alone")
    with _progress() as progress:
        task = progress.add_task("starting", total=None)
        summary = train(
            folder / "data" if folder else None,
            folder / "captures" if folder else None,
            out,
            version=version,
            seed=seed,
            step=lambda text: progress.update(task, description=text),
        )
    console.print_json(json.dumps(summary))


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    )


@app.command(name="rotate")
def rotate_command(
    data: DataOption = None,
    seed: int = SEED,
    workers: int = 2,
    only: Annotated[list[str] | None, typer.Option(help="Only these tools.")] = None,
    models: Annotated[
        Path | None, typer.Option(help="Keep the rotated models here; use those that are there.")
    ] = None,
    details: Annotated[bool, typer.Option(help="Print every captured account.")] = False,
) -> None:
    """Train without each captured tool in turn and judge that tool's traffic."""
    from models.rotate import rotate, table  # noqa: PLC0415  (scikit-learn is slow to import)

    folder = data_folder(data)
    if folder is None or not (folder / "captures").is_dir():
        console.print("rotate needs the captures: set STILLWATCH_DATA to the folder that has them")
        raise typer.Exit(2)
    with _progress() as progress:
        task = progress.add_task("composing accounts", total=None)
        outcomes = rotate(
            folder / "data",
            folder / "captures",
            seed,
            workers=workers,
            only=only or (),
            models=models,
            done=lambda tool, n, of: progress.update(
                task, description=f"{tool} left out ({n}/{of})", completed=n, total=of
            ),
        )
    out = Console()
    if details:
        _print(out, "captured accounts", [asdict(o) for o in outcomes])
    _print(out, "each tool judged by a model that never saw it", table(outcomes))


def _print(out: Console, title: str, rows: list[dict[str, object]]) -> None:
    shown = Table(title=title)
    for name in rows[0]:
        shown.add_column(name)
    for row in rows:
        shown.add_row(*("–" if v is None else str(v) for v in row.values()))
    out.print(shown)
