"""Databases for the tests of the store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.store.alert_store import AlertStore
from tests.services.postgres import new_database


@pytest.fixture
def postgres_url() -> str:
    """An empty PostgreSQL database of its own."""
    # Set by tests/conftest.py in the process that starts the run.
    folder = Path(os.environ["STILLWATCH_TEST_SERVICES"])
    return new_database(folder, int(os.environ["STILLWATCH_TEST_OWNER"]))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/alerts.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[AlertStore]:
    """An empty store in each kind of database."""
    made = AlertStore(database_url)
    yield made
    made.close()
