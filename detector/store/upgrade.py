"""Brings the database to the schema of this release, by Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from detector.store.database import Database
from detector.store.errors import StoreError


def upgrade(database: Database) -> tuple[str | None, str]:
    """Runs what is missing, in one transaction; of two that start at once one waits.

    Returns the versions before (None: an empty database) and after. Raises StoreError.
    """
    config = _config()
    head = _head(config)
    with database.write() as connection:
        before = _version(connection)
        if before != head:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise StoreError(
                    database.url, f"its schema {before} is not of this release; use the newer one"
                ) from error
    return before, head


def check(database: Database) -> None:
    """Raises StoreError when the database is not at the schema of this release."""
    head = _head(_config())
    with database.read() as connection:
        found = _version(connection)
    if found != head:
        raise StoreError(
            database.url, f"its schema is {found or 'missing'}, not {head}; run "
            "`stillwatch db upgrade`"
        )  # fmt: skip


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    # The parser behind it would read % as the start of a variable.
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    return config


def _head(config: Config) -> str:
    return str(ScriptDirectory.from_config(config).get_current_head())
