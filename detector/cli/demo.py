"""`stillwatch demo`: a composed day with hidden campaigns, played through the embedded log."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from detector.cli.demo_guide import example_account, query_line, render_guide, render_wait
from detector.cli.demo_result import render, result_of
from detector.cli.demo_run import DemoState, fill, play
from detector.cli.demo_serving import DemoApi, DemoClock, demo_api, usable_port
from detector.cli.demo_view import DemoView
from detector.cli.options import CalibrationOption, ModelDirOption, PolicyOption
from detector.cli.program import program
from detector.cli.stop import plain_errors, writing
from detector.cli.stopping import stopping
from detector.cli.versions import versions_of
from detector.lake import Lake, clear_lake
from detector.pipeline import load_models
from detector.policy import load_policy
from detector.settings import Settings, load_settings
from streams.log import Log
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
    host: Annotated[
        str | None, typer.Option(help="Address of the API.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="Port of the API; a free one if taken.", show_default="8000"
        ),
    ] = None,
    policy: PolicyOption = None,
    model_dir: ModelDirOption = None,
    calibration: CalibrationOption = None,
) -> None:
    """Plays a composed day: benign accounts of many kinds and three hidden campaigns.

    It shows the campaigns planted and found, requests each needed, and false alarms. Then it
    serves alerts, decisions and accounts of the day over HTTP until Ctrl-C.

    Examples:

        stillwatch demo
        stillwatch demo --exit --seed 2 --summary build/demo.json
    """
    console = Console()
    with plain_errors(), ExitStack() as at_the_end:
        settings = load_settings(
            ctx.obj,
            policy=policy,
            model_dir=model_dir,
            calibration=calibration,
            host=host,
            port=port,
        ).model_copy(update={"lake": None if no_lake else str(lake)})
        rules = load_policy(settings.policy)
        models = load_models(
            settings.model_dir,
            require_gpu=settings.require_gpu,
            calibration=settings.calibration,
            encoder=settings.encoder,
        )
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
        clock = DemoClock()
        api = None if leave else at_the_end.enter_context(_serve(settings, log, clock, console))
        view = DemoView(console)

        def told(state: DemoState) -> None:
            clock.now_s = state.clock_s
            view.told(state)

        with view.show():
            state = play(log, len(day.requests), settings, models, rules, store, told=told)
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
            with writing():
                result.write(summary)
        kept = None if no_lake else lake
        if api is None:
            _next(console, kept)
            return
        with stopping() as stop:
            api.catch_up()
            render_guide(api, *example_account(state.ledger, api), console)
            _next(console, kept)
            render_wait(api, console)
            stop.wait()
            console.print("Stopping.")


def _serve(
    settings: Settings, log: Log, clock: DemoClock, console: Console
) -> AbstractContextManager[DemoApi]:
    """The API at the address of the settings, or at a free port; says which."""
    port = usable_port(settings.host, settings.port)
    if settings.port not in (0, port):
        console.print(
            f"port {settings.port} is taken by another program: the API takes {port} instead",
            highlight=False,
        )
    return demo_api(settings.model_copy(update={"port": port}), log, clock)


def _next(console: Console, lake: Path | None) -> None:
    lines = [] if lake is None else [("SQL over the day:", [query_line(lake)])]
    lines.append(("Your own logs:", [f"{program()} inspect FILE", f"{program()} replay FILE"]))
    for words, commands in lines:
        console.print()
        for line in (words, *(f"  {command}" for command in commands)):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
