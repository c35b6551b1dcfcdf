"""`stillwatch allow`, `undo` and `confirm`: a person's word on one account, key or end user."""

from __future__ import annotations

from typing import Annotated

import typer

from detector.allowlist import AllowEntry
from detector.cli.control_options import (
    ByOption,
    ReasonOption,
    ScopeOption,
    SwitchError,
    TenantOption,
    moment,
    send_switch,
    who,
)
from detector.cli.options import KafkaOption
from detector.cli.stop import plain_errors
from detector.control import Allow, Confirm, Disallow, SwitchRecord, Undo
from detector.settings import Settings

IdArgument = Annotated[
    str, typer.Argument(help="Id as alerts and verdicts name it.", metavar="ACCOUNT")
]


def allow(
    ctx: typer.Context,
    account: IdArgument,
    reason: ReasonOption,
    until: Annotated[
        str | None,
        typer.Option(help="When it ends: 12h, 30d, a date or a time (UTC).", show_default=False),
    ] = None,
    scope: ScopeOption = "account",
    tenant: TenantOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="End the entry early.")] = False,
    by: ByOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Says that an account is not to be judged: its verdicts are lifted, and none is given.

    What would have been found is still recorded. The entry ends by itself.

    Examples:

        stillwatch allow acme --reason "own evaluation team" --until 90d
        stillwatch allow big-corp --scope organisation --reason contract --until 2027-01-01
        stillwatch allow acme --remove --reason "evaluation is over"
    """

    def make(settings: Settings, now_s: float) -> SwitchRecord:
        whose = tenant or settings.tenant
        if remove:
            return Disallow(by=who(by), reason=reason, tenant=whose, scope=scope, scope_id=account)
        if until is None:
            raise SwitchError("--until", "say when the entry ends, such as 30d")
        entry = AllowEntry(
            tenant=whose,
            scope=scope,
            scope_id=account,
            reason=reason,
            until_s=moment(until, now_s),
            by=who(by),
        )
        return Allow(by=who(by), reason=reason, entry=entry)

    with plain_errors():
        send_switch(ctx.obj, make, kafka)


def undo(
    ctx: typer.Context,
    account: IdArgument,
    reason: ReasonOption,
    until: Annotated[
        str, typer.Option(help="How long the same cause is not held against it again.")
    ] = "30d",
    scope: ScopeOption = "account",
    tenant: TenantOption = None,
    by: ByOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Lifts the verdicts on an account, its keys and its users, and keeps them lifted.

    The same cause raises no verdict until then; another cause still does.

    Example: `stillwatch undo acme --reason "appeal 4711 granted"`
    """

    def make(settings: Settings, now_s: float) -> SwitchRecord:
        return Undo(
            by=who(by),
            reason=reason,
            tenant=tenant or settings.tenant,
            scope=scope,
            scope_id=account,
            until_s=moment(until, now_s),
        )

    with plain_errors():
        send_switch(ctx.obj, make, kafka)


def confirm(
    ctx: typer.Context,
    account: IdArgument,
    reason: ReasonOption,
    scope: ScopeOption = "account",
    tenant: TenantOption = None,
    by: ByOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Gives the step that an alert proposes, such as a block. Without a proposal nothing changes.

    Example: `stillwatch confirm acme --reason "case 4711, decided by two"`
    """

    def make(settings: Settings, _: float) -> SwitchRecord:
        whose = tenant or settings.tenant
        return Confirm(by=who(by), reason=reason, tenant=whose, scope=scope, scope_id=account)

    with plain_errors():
        send_switch(ctx.obj, make, kafka)
