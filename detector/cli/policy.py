"""`stillwatch policy`: checks policy files, and switches running workers to them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from detector.budget import alarm_rate
from detector.calibration import load_calibration
from detector.cli.control_options import ByOption, send_switch, who
from detector.cli.options import CalibrationOption, KafkaOption, ModelDirOption
from detector.cli.stop import plain_errors
from detector.control import PolicySwitch, SwitchRecord
from detector.encoder_head import headed_version
from detector.policy import STEPS, Policy, load_policy
from detector.scorer import load_card
from detector.settings import Settings, load_settings

ACTIVE_ACCOUNTS: Final = 100_000

app = typer.Typer(
    no_args_is_help=True, help="Check and switch policies: what evidence leads to what verdict."
)


@app.callback()
def policy() -> None:
    """Check and switch policies: what evidence leads to what verdict."""


@app.command()
def check(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Policy file (TOML).", show_default=False)],
    active_accounts: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Accounts with traffic on a usual day.",
            show_default=f"the budget's, else {ACTIVE_ACCOUNTS}",
        ),
    ] = None,
    calibration: CalibrationOption = None,
    model_dir: ModelDirOption = None,
) -> None:
    """Checks a policy file and shows what its steps mean. Exit 2 and one sentence when it is wrong.

    It is wrong, too, when the calibration accounts cannot state its alert budget.

    Examples:

        stillwatch policy check my-policy.toml
        stillwatch policy check my-policy.toml --calibration calibration.json
    """
    with plain_errors():
        found = load_policy(file)
        settings = load_settings(ctx.obj, calibration=calibration, model_dir=model_dir)
        n = calibration_accounts(settings)
        found.check_budget(n)
    budgeted = ACTIVE_ACCOUNTS if found.budget is None else found.budget.active_accounts_per_day
    render(found, n, active_accounts or budgeted, Console())


def calibration_accounts(settings: Settings) -> int:
    """How many benign accounts p-values come from with these settings. Raises ModelError."""
    models, encoder = settings.model_dir, settings.encoder
    if settings.calibration is not None:
        version = "" if encoder is None else headed_version(encoder, models)
        return load_calibration(settings.calibration, models, version).accounts
    return len(load_card(models / "account.json", encoded=encoder is not None).calibration)


@app.command()
def apply(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Policy file (TOML).", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; kept for the audit.")] = "",
    by: ByOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Checks a policy file and switches every worker to it, from its next batch on.

    Verdicts in force stay until new evidence or their end changes them.

    Example: `stillwatch policy apply my-policy.toml --reason "fewer alarms on week-ends"`
    """

    def make(_settings: Settings, _now_s: float) -> SwitchRecord:
        found = load_policy(file)
        text = file.read_text(encoding="utf-8")
        return PolicySwitch(by=who(by), reason=reason, text=text, stamp=found.stamp)

    with plain_errors():
        send_switch(ctx.obj, make, kafka)


def render(policy: Policy, calibration_accounts: int, active: int, console: Console) -> None:
    """Prints a policy and what it means with so many active accounts a day."""
    mode = "shadow: verdicts are told and not enforced" if policy.shadow else "enforced"
    console.print(
        f"policy {policy.stamp}, {mode}, alerts from {policy.alert_from}", highlight=False
    )
    table = Table(box=SIMPLE)
    table.add_column("verdict", no_wrap=True)
    for name in ("p ≤", "score ≥", "new ≥", "groups ≥", "leave at p >", "ends after"):
        table.add_column(name, justify="right")
    table.add_column("given by", no_wrap=True)
    for level in STEPS:
        step = policy.step(level)
        table.add_row(
            level,
            f"{step.p_value:g}",
            f"{step.score:g}",
            str(step.min_new_pieces),
            str(step.min_groups),
            f"{step.leave_p_value:g}",
            f"{step.expires_s / 3600.0:g} h",
            "person" if step.needs_person else "policy",
        )
    console.print(table)
    console.print(table_of(policy, calibration_accounts, active))
    console.print(
        "At most so many benign accounts can be expected to reach the step anew on one day: their "
        "p-value alone counts, and score, groups and new pieces only make them fewer. A watch for "
        f"wording alone ({policy.cue_watch_pieces} new pieces with a cue) and verdicts on single "
        "keys or end users come on top.",
        style="dim",
        highlight=False,
    )


def table_of(policy: Policy, calibration_accounts: int, active: int) -> Table:
    """Expected false alarms of each step a day, at most."""
    table = Table(
        title=f"{active:,} active accounts a day, p-values of {calibration_accounts:,} accounts",
        title_justify="left",
        box=SIMPLE,
    )
    table.add_column("verdict", no_wrap=True)
    for name in ("p ≤", "benign a day ≤", "budget"):
        table.add_column(name, justify="right")
    table.add_column("", no_wrap=True)
    for level in STEPS:
        p = policy.step(level).p_value
        rate = alarm_rate(p, calibration_accounts)
        needed = f"needs {math.ceil(1 / p) - 1:,} accounts" if p else "p is 0"
        per_day = None if policy.budget is None else policy.budget.per_day(level)
        table.add_row(
            level,
            f"{p:.3g}",
            f"{rate * active:,.3g}" if rate * active < 1000 else f"{rate * active:,.0f}",
            "" if per_day is None else f"{per_day:,g}",
            "" if rate else f"never reached: {needed}",
        )
    return table
