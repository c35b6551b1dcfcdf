"""`stillwatch demo`: a composed day with hidden campaigns, played through the embedded log."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from detector.cli.demo_result import render, result_of
from detector.cli.demo_run import fill, play
from detector.cli.demo_view import DemoView
from detector.cli.options import ModelDirOption, PolicyOption
from detector.cli.program import program
from detector.cli.stop import plain_errors, writing
from detector.cli.versions import versions_of
from detector.lake import Lake, clear_lake
from detector.pipeline import load_models
from detector.policy import load_policy
from detector.settings import load_settings
from streams.traffic.day import compose_day

DEMO_LAKE = Path("build/demo-lake")


def demo(
    ctx: typer.Context,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another day.")] = 1,
    accounts: Annotated[int, typer.Option(min=1, help="Benign accounts.")] = 300,
    leave: Annotated[
        bool, typer.Option("--exit", help="End after the day instead of serving its results.")
    ] = False,
    summary: Annotated[
        Path | None, typer.Option(help="Write the outcome there as JSON.", show_default=False)
    ] = None,
    lake: Annotated[
        Path, typer.Option(help="Write facts, scores and alerts there for `stillwatch query`.")
    ] = DEMO_LAKE,
    no_lake: Annotated[bool, typer.Option("--no-lake", help="Write no Parquet.")] = False,
    policy: PolicyOption = None,
    model_dir: ModelDirOption = None,
) -> None:
    """Plays a composed day: benign accounts of many kinds and three hidden campaigns.

    It ends with the campaigns planted and found, requests each needed, and false alarms.

    Examples:

        stillwatch demo
        stillwatch demo --exit --seed 2 --summary build/demo.json
    """
    console = Console()
    with plain_errors(), writing():
        settings = load_settings(ctx.obj, policy=policy, model_dir=model_dir)
        rules = load_policy(settings.policy)
        models = load_models(settings.model_dir, require_gpu=settings.require_gpu)
        versions = versions_of(models, rules)
        with console.status("composing the day (some seconds)"):
            day = compose_day(seed, benign_accounts=accounts, data=settings.corpus)
            log = fill(day.requests)
        prompts = "own prompts" if settings.corpus is None else "prompts of the data folder too"
        console.print(
            f"a day of {len(day.requests):,} requests by {len(day.truth):,} accounts; "
            f"{len(day.campaigns)} campaigns are hidden in it",
            highlight=False,
        )
        console.print(f"seed {seed}, {prompts}", style="dim", highlight=False)
        store = None
        if not no_lake:
            clear_lake(lake)
            store = Lake(lake, "demo", versions)
        view = DemoView(console)
        with view.show():
            state = play(log, len(day.requests), settings, models, rules, store, told=view.told)
        result = result_of(
            day,
            state.ledger,
            seed=seed,
            counts=state.counts,
            seconds=view.seconds,
            versions=versions,
        )
        render(result, console)
        if summary is not None:
            result.write(summary)
    if not leave:
        console.print("This release ends here: it has no API yet to keep the results up with.")
    if store is not None:
        sql = "SELECT account, verdict, requests, main_reason FROM alerts LIMIT 10"
        hint = f'{program()} query "{sql}" --lake {shlex.quote(str(lake))}'
        console.print(f"Next:\n  {hint}", soft_wrap=True, markup=False, highlight=False)
    console.print(
        f"Your own logs:\n  {program()} inspect FILE\n  {program()} replay FILE",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
