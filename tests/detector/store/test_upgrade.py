"""The database's schema: made by migrations, once, and the one that the code reads."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from detector.store.alert_store import AlertStore
from detector.store.database import Database
from detector.store.errors import StoreError
from detector.store.tables import Base
from detector.store.upgrade import check, upgrade


def test_migrations_make_the_tables_that_the_code_reads(database_url: str) -> None:
    """A change of tables.py without a migration fails here."""
    with closing(Database(database_url)) as database:
        assert upgrade(database)[0] is None
        with database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []


def test_replicas_may_start_at_once(database_url: str) -> None:
    """One of them runs the migrations, the others find them done."""
    done: list[str | None] = []

    def start() -> None:
        with closing(Database(database_url)) as database:
            done.append(upgrade(database)[0] or "nothing")

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done, key=str) == ["0001"] * 5 + ["nothing"]


def test_without_migrating_an_old_schema_is_refused(database_url: str) -> None:
    """With the command that helps."""
    with pytest.raises(StoreError, match="stillwatch db upgrade"):
        AlertStore(database_url, migrate=False)
    AlertStore(database_url).close()
    AlertStore(database_url, migrate=False).close()


def test_the_schema_of_a_newer_release_is_left_alone(database_url: str) -> None:
    """An older replica does not touch what it does not know."""
    with closing(Database(database_url)) as database:
        upgrade(database)
        with database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(StoreError, match="9999"):
            upgrade(database)
        with pytest.raises(StoreError, match="9999"):
            check(database)
