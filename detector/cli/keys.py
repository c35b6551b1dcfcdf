"""`stillwatch keys`: makes and lists the API's keys."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.cli.stop import plain_errors, writing
from detector.errors import DetectorError
from detector.key_ring import ApiKey, KeyRing, new_key, read_keys
from detector.settings import load_settings
from streams.envelope import rfc3339

app = typer.Typer(no_args_is_help=True, help="Makes and lists the API's keys.")

KeysOption = Annotated[
    Path | None, typer.Option("--keys", help="Keys file (TOML).", show_default="the setting keys")
]


class RoleName(StrEnum):
    """A key's role."""

    gateway = "gateway"
    viewer = "viewer"
    analyst = "analyst"
    admin = "admin"


class WrongKeyOption(DetectorError):
    """An option of `keys new` has no meaning. Attribute `option`."""

    def __init__(self, option: str, problem: str) -> None:
        self.option = option
        super().__init__(f"{option} {problem}")


@app.command("new")
def new(
    ctx: typer.Context,
    role: Annotated[
        RoleName,
        typer.Option(
            help="gateway: decisions only; viewer: alerts; analyst: accounts too; admin: all.",
            show_default=False,
        ),
    ],
    tenant: Annotated[str, typer.Option(help='The one tenant it sees; "*": all.')] = "default",
    label: Annotated[str, typer.Option(help="Who uses it.", show_default=False)] = "",
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Refused from then on: 2027-01-31 or 2027-01-31T12:00:00Z.",
            show_default="never",
        ),
    ] = None,
    keys: KeysOption = None,
) -> None:
    """Makes a key. Its secret is printed once, on stdout, and kept nowhere.

    The entry (id, SHA-256, role, tenant) is added to the keys file, or printed where none is set.

    Examples:

        stillwatch keys new --role gateway --tenant default --keys keys.toml
        stillwatch keys new --role analyst --tenant "*" --label dana --expires 2027-01-31
    """
    with plain_errors(), writing():
        if not tenant or not tenant.isprintable():
            raise WrongKeyOption("--tenant", 'must be a name, or "*" for every tenant')
        if not label.isprintable():
            raise WrongKeyOption("--label", "must be printable text")
        file = load_settings(ctx.obj, keys=keys).keys
        key, entry = new_key(
            role.value,
            tenant,
            id_bits=secrets.token_bytes(6),
            secret_bits=secrets.token_urlsafe(32),
            label=label,
            expires_at=None if expires is None else moment(expires),
        )
        if file is not None:
            add_entry(file, entry)
            print(f"stillwatch: the entry is in {file}", file=sys.stderr)
        else:
            print(f"stillwatch: add to your keys file:\n\n{entry_text(entry)}", file=sys.stderr)
    print(key)


@app.command("list")
def listed(ctx: typer.Context, keys: KeysOption = None) -> None:
    """Lists the keys of a file: ids, roles and ends, no secrets.

    Example: `stillwatch keys list --keys keys.toml`
    """
    with plain_errors():
        file = load_settings(ctx.obj, keys=keys).keys
        if file is None:
            raise WrongKeyOption("--keys", "must name the keys file: no setting names one")
        ring = read_keys(file)
    render(ring, time.time(), Console())


def render(ring: KeyRing, now_s: float, console: Console) -> None:
    """Prints the keys of a ring for people."""
    table = Table("id", "role", "tenant", "label", "expires", box=SIMPLE)
    for key in ring.entries():
        ends = "never" if key.expires_at is None else rfc3339(key.expires_at.timestamp())
        ends += " (expired)" if key.expired(now_s) else ""
        table.add_row(*map(Text, (key.id, key.role, key.tenant, key.label, ends)))
    console.print(table)


def add_entry(file: Path, entry: ApiKey) -> None:
    """Appends an entry; a new file is the owner's alone. Raises KeyFileError for a bad file."""
    before = ""
    if file.exists():
        read_keys(file)
        before = file.read_text(encoding="utf-8").rstrip("\n") + "\n\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = file.stat().st_mode & 0o777 if before else 0o600
    half = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as out:
        out.write(before + entry_text(entry))
    half.replace(file)
    read_keys(file)


def entry_text(entry: ApiKey) -> str:
    """The entry as TOML."""
    lines = ["[[keys]]"]
    for name in ("id", "sha256", "role", "tenant", "label"):
        value = getattr(entry, name)
        if value:
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    if entry.expires_at is not None:
        lines.append(f"expires_at = {rfc3339(entry.expires_at.timestamp())}")
    return "\n".join(lines) + "\n"


def moment(text: str) -> dt.datetime:
    """A date (its first moment, UTC) or a time with its zone. Raises WrongKeyOption."""
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongKeyOption("--expires", f"is no date: {text}") from error
    if when.tzinfo is None and len(text) > len("2027-01-31"):
        raise WrongKeyOption("--expires", f"needs its zone, as in {text}Z")
    return when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when.astimezone(dt.UTC)
