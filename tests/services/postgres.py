"""One PostgreSQL server for the whole test run, shared by every test process.

The first test that needs it starts it in the run's folder; it ends with the process that started
the run. With STILLWATCH_POSTGRES=URL (SQLAlchemy's, of a role that may create databases) a running
server is used instead.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from tests.services.guarded import start_guarded
from tests.services.required import unavailable

EXTERNAL_VARIABLE = "STILLWATCH_POSTGRES"
_START_LIMIT_S = 60.0
_numbers = itertools.count()


def new_database(folder: Path, owner_pid: int) -> str:
    """The URL of an empty database of its own; the server is started when none runs yet.

    `folder` is the run's own, the same in all its processes; `owner_pid` the process that started
    the run. Skips the test (fails it, where services are required) when there can be none.
    """
    server = _server(folder, owner_pid)
    name = f"stillwatch_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    finally:
        engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


def stop_shared_postgres(folder: Path) -> None:
    """Stops the run's server, if it has one, at once."""
    pid_file = folder / "postgres" / "postmaster.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text().split("\n", maxsplit=1)[0]), signal.SIGINT)
        _wait(lambda: not pid_file.exists(), "PostgreSQL did not stop")


def _server(folder: Path, owner_pid: int) -> URL:
    external = os.environ.get(EXTERNAL_VARIABLE)
    if external:
        return make_url(external).set(drivername="postgresql+psycopg")
    programs = _programs()
    if programs is None:
        unavailable(
            "PostgreSQL", f"install its server (initdb, postgres), or set {EXTERNAL_VARIABLE}=URL"
        )
    sockets = folder / "postgres-socket"
    url = URL.create(
        "postgresql+psycopg", username="stillwatch", database="postgres",
        query={"host": str(sockets)},
    )  # fmt: skip
    with FileLock(folder / "postgres.lock"):
        if not sockets.exists():
            _start(programs, folder, sockets, owner_pid)
            _answers(url, folder)
    return url


def _programs() -> Path | None:
    """The folder of the server's programs: on the PATH, or the newest that Debian installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    versions = sorted(installed, key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


def _start(programs: Path, folder: Path, sockets: Path, owner_pid: int) -> None:
    data = folder / "postgres"
    data.mkdir(mode=0o700, exist_ok=True)
    sockets.mkdir(mode=0o755)
    user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        try:
            entry = pwd.getpwnam("postgres")
        except KeyError:
            unavailable("PostgreSQL", "it does not run as root: make a user named postgres")
        folder.chmod(0o711)
        for path in (data, sockets):
            os.chown(path, entry.pw_uid, entry.pw_gid)
        user = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    subprocess.run(
        [*user, programs / "initdb", "-D", data, "-U", "stillwatch", "-A", "trust", "-E", "UTF8",
         "--no-sync"],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    # Only a socket in the run's folder: no port to find, and nobody else comes in.
    start_guarded(
        [*user, str(programs / "postgres"), "-D", str(data), "-k", str(sockets),
         "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"],
        owner_pid=owner_pid, log=folder / "postgres.log",
    )  # fmt: skip


def _answers(url: URL, folder: Path) -> None:
    engine = create_engine(url)

    def connects() -> bool:
        try:
            engine.connect().close()
        except OperationalError:
            return False
        return True

    try:
        _wait(connects, f"PostgreSQL does not answer; see {folder / 'postgres.log'}")
    finally:
        engine.dispose()


def _wait(done: Callable[[], bool], problem: str) -> None:
    end_s = time.monotonic() + _START_LIMIT_S
    while not done():
        if time.monotonic() > end_s:
            raise TimeoutError(problem)
        time.sleep(0.05)
