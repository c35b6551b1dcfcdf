"""`stillwatch policy`: checks policy files, and switches running workers to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from detector.cli.control_options import ByOption, send_switch, who
from detector.cli.stop import plain_errors
from detector.control import PolicySwitch, SwitchRecord
from detector.policy import STEPS, Policy, load_policy
from detector.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="Check and switch policies: what evidence leads to what verdict."
)


@app.callback()
def policy() -> None:
    """Check and switch policies: what evidence leads to what verdict."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Policy file (TOML).", show_default=False)],
) -> None:
    """Checks a policy file and shows its steps. Exit 2 and one sentence when it is wrong.

    Example: `stillwatch policy check my-policy.toml`
    """
    with plain_errors():
        found = load_policy(file)
    render(found, Console())


@app.command()
def apply(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Policy file (TOML).", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; kept for the audit.")] = "",
    by: ByOption = None,
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
        send_switch(ctx.obj, make)


def render(policy: Policy, console: Console) -> None:
    """Prints a policy's version and steps."""
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
