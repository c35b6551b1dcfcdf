"""Opens the database of the alert feed: SQLite in WAL mode or PostgreSQL by psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from detector.store.errors import StoreError

_WRITER_LOCK: Final = 0x5711_1A7C
"""Key of the advisory lock that writers take in PostgreSQL."""
_BUSY_MS: Final = 30_000


class Database:
    """An engine whose writers take turns, over threads and processes alike. Thread-safe."""

    def __init__(self, url: str) -> None:
        """Opens nothing yet, but makes the folder of an SQLite file. Raises StoreError."""
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise StoreError(url, "is no SQLAlchemy URL like sqlite:///FILE") from error
        self.url = parsed.render_as_string(hide_password=True)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _sqlite(parsed, self.url)
        elif parsed.get_backend_name() == "postgresql":
            # Pre-ping: a connection that the server dropped is replaced, not an error.
            self.engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True
            )
        else:
            raise StoreError(self.url, "only sqlite and postgresql are supported")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads. Raises StoreError."""
        with self._told(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The one writing transaction; others wait. Raises StoreError, nothing written then."""
        with self._told(), self.engine.connect() as connection:
            # SQLite takes the lock at once: a reader that turns into a writer could fail as busy.
            connection.execution_options(stillwatch_begin="BEGIN IMMEDIATE")
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(
                        text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK}
                    )
                yield connection

    def close(self) -> None:
        """Closes the connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            first = str(getattr(error, "orig", None) or error).strip().split("\n", maxsplit=1)[0]
            raise StoreError(self.url, first) from error


def _sqlite(url: URL, shown: str) -> Engine:
    if not url.database or url.database == ":memory:":
        raise StoreError(shown, "name a file: sqlite:///FILE")
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(shown, f"its folder cannot be made ({error.strerror})") from error
    engine = create_engine(url)

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours, see below
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={_BUSY_MS}"):
            connection.execute(f"PRAGMA {pragma}").close()

    def begun(connection: Connection) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql(options.get("stillwatch_begin", "BEGIN"))

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine
