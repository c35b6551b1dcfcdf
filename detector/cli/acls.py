"""`stillwatch topics acls`: what each role must be allowed to do in Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from detector.acls import Grant, acl_commands, grants
from detector.cli.options import KafkaOption
from detector.cli.stop import plain_errors
from detector.settings import load_settings

_WIDE = 110
"""Columns from which on the reasons fit too."""


def acls(
    ctx: typer.Context,
    kafka: KafkaOption = None,
    principal_prefix: Annotated[
        str | None,
        typer.Option(
            help="Print the commands that grant it; a role's principal is this and its name.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Prints what each role may do, and needs: no more, no less.

    `gateway` is whoever writes request logs, `operator` who switches (policy, model, allow, undo,
    confirm), `setup` who runs `topics create`. With the setting rekey_from there are `rekey` and
    `collector` too.

    Examples:

        stillwatch topics acls
        stillwatch topics acls --principal-prefix stillwatch- --kafka kafka-1:9093 > acls.sh
    """
    with plain_errors():
        settings = load_settings(ctx.obj, kafka=kafka)
    table = grants(settings.input_topic, settings.group, settings.rekey_from)
    if principal_prefix is None:
        render(table, Console())
    else:
        for command in acl_commands(table, principal_prefix, settings.kafka.bootstrap):
            print(command)


def render(table: Sequence[Grant], console: Console) -> None:
    """Prints the table."""
    shown = Table(box=SIMPLE)
    for name in ("role", "resource", "name"):
        shown.add_column(name, no_wrap=True)
    shown.add_column("may")
    if wide := console.width >= _WIDE:
        shown.add_column("for")
    last = ""
    for grant in table:
        role, last = ("" if grant.role == last else grant.role), grant.role
        name = f"{grant.name}…" if grant.prefixed else grant.name
        cells = [role, grant.resource, name, ", ".join(grant.operations)]
        shown.add_row(*cells, *([grant.why] if wide else []))
    console.print(shown)
