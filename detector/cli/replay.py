"""`stillwatch replay`: request-log files through the pipeline, accounts by score at the end."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from detector.campaign_ledger import CampaignSummary
from detector.cli.file_run import SHOWN_DEAD_LETTERS, RunResult, run_files
from detector.cli.options import (
    AccountFromOption,
    CalibrationOption,
    FormatOption,
    ModelDirOption,
    PolicyOption,
)
from detector.cli.program import program
from detector.cli.stop import NothingReadable, plain_errors, writing
from detector.cli.styles import LEVEL_STYLES
from detector.cli.versions import versions_of
from detector.lake import Lake
from detector.ledger import AccountSummary
from detector.pipeline import Models, load_models
from detector.policy import Policy, load_policy
from detector.settings import load_settings
from streams.envelope import rfc3339
from streams.files import Progress as OnBytes
from streams.files import expand_paths

WIDTH_OF_FILES = 160


def replay(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(help="Files, folders or globs.", metavar="FILE", show_default=False),
    ],
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One JSON line an account, then one a campaign, nothing else."),
    ] = False,
    top: Annotated[int, typer.Option(min=0, help="Accounts shown in the table; 0 shows all.")] = 40,
    parquet: Annotated[
        Path | None,
        typer.Option(help="Write facts, scores and alerts there for `stillwatch query`."),
    ] = None,
    alerts: Annotated[
        Path | None, typer.Option(help="Write alerts to this file, one CloudEvent a line.")
    ] = None,
    dead_letters: Annotated[
        Path | None, typer.Option(help="Write unreadable records to this file, one a line.")
    ] = None,
    log_format: FormatOption = None,
    account_from: AccountFromOption = None,
    policy: PolicyOption = None,
    model_dir: ModelDirOption = None,
    calibration: CalibrationOption = None,
) -> None:
    """Reads request logs and says which accounts look like extraction, and why.

    JSON lines, JSON arrays and Parquet, plain, .gz or .zst; several files are merged by time.

    Examples:

        stillwatch replay requests.jsonl.gz
        stillwatch replay logs/ --parquet lake --alerts alerts.jsonl
        stillwatch replay logs/ --json | jq 'select(.first_throttle_at != null)'
        stillwatch replay logs/ --policy stricter.toml
    """
    with plain_errors(), writing():
        settings = load_settings(
            ctx.obj,
            format=log_format,
            account_from=account_from or None,
            policy=policy,
            model_dir=model_dir,
            calibration=calibration,
        )
        paths = expand_paths(files)
        rules = load_policy(settings.policy)
        models = load_models(
            settings.model_dir,
            require_gpu=settings.require_gpu,
            calibration=settings.calibration,
            encoder=settings.encoder,
        )
        lake = None
        if parquet is not None:
            lake = Lake(parquet, writer_name(paths), versions_of(models, rules))
            lake.forget()
        with progress_bar() as on_bytes:
            result = run_files(
                paths,
                settings,
                models,
                rules,
                lake=lake,
                alerts=alerts,
                dead_letters=dead_letters,
                progress=on_bytes,
            )
        counts = result.counts
        if counts["dead_letters"] and not counts["requests"]:
            look = f"{program()} inspect {shlex.quote(str(paths[0]))}"
            raise NothingReadable(counts["records"], counts["dead_letters"], look)
    if as_json:
        for summary in result.ledger.summaries():
            print(summary.json_line())
        for campaign in result.campaigns.summaries():
            print(campaign.json_line())
        return
    # A file or a pipe has no width: give the reasons room.
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_FILES)
    render(result, models, rules, console, top)


def writer_name(paths: list[Path]) -> str:
    """Name of a replay's Parquet files: the same input replaces what it wrote before."""
    text = "\n".join(sorted(str(path.resolve()) for path in paths))
    return "replay_" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


@contextmanager
def progress_bar() -> Iterator[OnBytes | None]:
    """A progress bar on stderr while it is a terminal; yields what to tell of bytes read."""
    if not sys.stderr.isatty():
        yield None
        return
    with Progress(
        TextColumn("reading"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("reading", total=None)

        def on_bytes(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield on_bytes


def render(result: RunResult, models: Models, policy: Policy, console: Console, top: int) -> None:
    """Prints accounts, totals and dead letters for people."""
    summaries = result.ledger.summaries()
    shown = summaries if top == 0 else summaries[:top]
    table = Table(title=f"{len(summaries):,} accounts by score", title_justify="left", box=SIMPLE)
    table.add_column("account", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name in ("score", "requests", "new", "cues", "throttled at"):
        table.add_column(name, justify="right")
    table.add_column("main reason", min_width=24)
    for found in shown:
        name = found.account if found.tenant == "default" else f"{found.tenant}/{found.account}"
        at = "" if found.first_throttle_at is None else f"{found.first_throttle_at:,}"
        table.add_row(
            Text(name),
            _verdict(found),
            f"{found.score:.3f}",
            f"{found.requests:,}",
            f"{found.new_pieces:,}",
            f"{found.cue_pieces:,}",
            at,
            Text(found.reason),
        )
    console.print(table)
    if len(shown) < len(summaries):
        console.print(f"{len(summaries) - len(shown):,} more: --top 0 shows all", style="dim")
    render_campaigns(result.campaigns.summaries(), console)
    render_totals(result, console)
    made_with = ", ".join(f"{k} {v}" for k, v in versions_of(models, policy).items())
    console.print(f"made with {made_with}", style="dim", highlight=False)


def render_campaigns(found: Sequence[CampaignSummary], console: Console) -> None:
    """Prints campaigns for people; nothing where there are none."""
    if not found:
        return
    title = f"{len(found):,} campaign{'s' if len(found) != 1 else ''}"
    table = Table(title=title, title_justify="left", box=SIMPLE)
    table.add_column("campaign", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name in ("accounts", "of its core", "requests", "first alert"):
        table.add_column(name, justify="right")
    table.add_column("what they share", min_width=24)
    for campaign in found:
        table.add_row(
            Text(campaign.campaign[:8]),
            Text(campaign.verdict, LEVEL_STYLES[campaign.verdict]),
            f"{len(campaign.members):,}",
            f"{campaign.core:,}",
            f"{campaign.requests:,}",
            rfc3339(campaign.first_alert_at_s)[:16],
            Text(", ".join(campaign.links)),
        )
    console.print(table)


def _verdict(found: AccountSummary) -> Text:
    text = Text(found.verdict, LEVEL_STYLES[found.verdict])
    if found.worst_verdict != found.verdict:
        text.append(f", was {found.worst_verdict}", LEVEL_STYLES[found.worst_verdict])
    return text


def render_totals(result: RunResult, console: Console) -> None:
    """Prints what was read and what was not."""
    counts = result.counts
    parts = [f"{counts['records']:,} records", f"{counts['requests']:,} requests"]
    for name, words in (
        ("empty_records", "records without a request"),
        ("duplicates", "duplicates dropped"),
        ("late", "late"),
        ("ahead_of_time", "ahead of their time"),
        ("without_time", "without a time"),
        ("dead_letters", "dead letters"),
    ):
        if counts[name]:
            parts.append(f"{counts[name]:,} {words}")
    console.print(", ".join(parts), highlight=False)
    if counts["unattributed"]:
        console.print(
            f"{counts['unattributed']:,} requests have no account and were not judged: "
            f"`{program()} inspect FILE` shows where an account might be, for --account-from",
            style="yellow",
            highlight=False,
        )
    for reason, count in result.reasons.most_common():
        console.print(Text(f"dead letters, {reason}: {count:,}"))
    for letter in result.dead_letters:
        console.print(Text(f"  {letter.file}:{letter.line}: {letter.reason}"), soft_wrap=True)
    if counts["dead_letters"] > SHOWN_DEAD_LETTERS:
        console.print("  … --dead-letters FILE writes them all", style="dim")
