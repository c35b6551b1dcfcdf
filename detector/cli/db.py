"""`stillwatch db`: the alert feed's database."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from detector.cli.stop import plain_errors
from detector.settings import load_settings
from detector.store.alert_store import AlertStore
from detector.store.database import Database
from detector.store.upgrade import upgrade as upgrade_database

app = typer.Typer(no_args_is_help=True, help="The alert feed's database.")

DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="SQLAlchemy URL; default: setting `database`.")
]


@app.command("upgrade")
def upgrade(ctx: typer.Context, database: DatabaseOption = None) -> None:
    """Brings the schema to this release. `stillwatch api` does so itself when it starts.

    Example: `stillwatch db upgrade --database postgresql+psycopg://stillwatch@db/stillwatch`
    """
    with plain_errors():
        opened = Database(load_settings(ctx.obj, database=database).database)
        try:
            before, after = upgrade_database(opened)
        finally:
            opened.close()
    changed = f"from {before or 'nothing'} to {after}" if before != after else f"is at {after}"
    print(f"{opened.url}: schema {changed}")


@app.command("prune")
def prune(
    ctx: typer.Context,
    older_than_days: Annotated[
        float, typer.Option(min=1, help="Alerts not revised for so many days go.")
    ],
    database: DatabaseOption = None,
) -> None:
    """Removes old alerts, with all their revisions, from the feed's database.

    Example: `stillwatch db prune --older-than-days 365`
    """
    with plain_errors():
        store = AlertStore(load_settings(ctx.obj, database=database).database)
        try:
            rows = store.prune(time.time() - older_than_days * 86_400.0)
        finally:
            store.close()
    print(f"{rows:,} revisions removed")
