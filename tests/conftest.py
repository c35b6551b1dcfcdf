"""Services that the whole test run shares."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.services.kafka import KafkaBroker, shared_broker, stop_shared_broker
from tests.services.postgres import stop_shared_postgres

# Set by the process that starts the run, inherited by the test processes of pytest-xdist.
_FOLDER = "STILLWATCH_TEST_SERVICES"
_OWNER = "STILLWATCH_TEST_OWNER"


def _starts_the_run(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the run's folder for its services."""
    # kafka-python 3.0.12 reads its protocol schemas so when it is imported.
    config.addinivalue_line(
        "filterwarnings", "ignore:(open|read)_text is deprecated:DeprecationWarning"
    )
    # It also leaves sockets whose broker went away to the garbage collector, which meets them in
    # whatever test comes later.
    config.addinivalue_line(
        "filterwarnings",
        "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning",
    )
    if _starts_the_run(config):
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="stillwatch-tests-")
        os.environ[_OWNER] = str(os.getpid())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops the services and removes their folder; runs after Ctrl-C too."""
    if _starts_the_run(config):
        folder = Path(os.environ[_FOLDER])
        stop_shared_broker(folder)
        stop_shared_postgres(folder)
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the broker carries the mark `kafka`."""
    for item in items:
        if "kafka_broker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session")
def kafka_broker() -> KafkaBroker:
    """A running Kafka broker, shared by the whole run: make topics with names of their own."""
    return shared_broker(Path(os.environ[_FOLDER]), int(os.environ[_OWNER]))
