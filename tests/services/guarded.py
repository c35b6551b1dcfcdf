"""Starts a server that cannot outlive the test run, even when the run is killed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Stops the server when told to, and when the owner is gone; a second of patience, then SIGKILL.
_GUARD = """
owner=$1; shift
"$@" & server=$!
trap 'kill $server' TERM
while kill -0 $owner && kill -0 $server; do sleep 0.2 & wait $!; done 2>/dev/null
kill $server 2>/dev/null
for _ in 1 2 3 4 5; do kill -0 $server 2>/dev/null || exit; sleep 0.2; done
kill -9 $server 2>/dev/null
"""


def start_guarded(
    command: Sequence[str], *, owner_pid: int, log: Path, env: dict[str, str] | None = None
) -> int:
    """Runs `command` until it ends, SIGTERM comes or process `owner_pid` is gone.

    Output goes to `log`. The server gets a session of its own, so Ctrl-C reaches pytest alone.
    Returns the guard's process id: SIGTERM to it stops the server.
    """
    with log.open("wb") as sink:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(owner_pid), *command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=None if env is None else {**os.environ, **env},
            start_new_session=True,
        )
    guard.returncode = 0  # nobody waits for it: it outlives the process that started it
    return guard.pid
