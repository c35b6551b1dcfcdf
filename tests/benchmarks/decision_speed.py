"""The gateway hook beside a bare route of the same server, asked over the network stack."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from tests.benchmarks.cores import on, others
from tests.benchmarks.decision_server import ACCOUNTS, requests
from tests.benchmarks.http_load import Load, load
from tests.benchmarks.recorded_day import RecordedDay
from tests.benchmarks.report import Row

PAIRS = 5
FOR_S = 1.0
CONNECTIONS = 8
PATHS = {"bare": "/bare", "decision": "/v1/decision"}


def measure(day: RecordedDay) -> list[Row]:
    """Two rows: answers a second, and the 99th percentile of the time to an answer; no goal."""
    with _server("bare") as bare_port, _server("decision") as port:
        _await_verdicts(port)
        _ask("bare", bare_port, 0.5)
        _ask("decision", port, 0.5)
        pairs = [
            (_ask("bare", bare_port, FOR_S), _ask("decision", port, FOR_S)) for _ in range(PAIRS)
        ]
    bare, ours = ([side[k] for side in pairs] for k in (0, 1))
    faster = [b.per_s / a.per_s for a, b in pairs]
    slower = [b.p99_s / a.p99_s for a, b in pairs]
    note = (
        f"{CONNECTIONS} connections, each asking again when answered, uvicorn with httptools on a "
        f"core of its own; {ACCOUNTS:,} verdicts; one in fifty of the accounts asked for has one; "
        "reference: a bare Starlette route that answers 204"
    )
    return [
        Row(
            name="gateway hook",
            value=median(load_.per_s for load_ in ours),
            unit="answers/s",
            reference=median(load_.per_s for load_ in bare),
            ratio=median(faster),
            note=f"{note}; median of {PAIRS} pairs, {min(faster):.2f} to {max(faster):.2f}",
        ),
        Row(
            name="gateway hook, p99 at full load",
            value=median(load_.p99_s for load_ in ours) * 1e3,
            unit="ms",
            reference=median(load_.p99_s for load_ in bare) * 1e3,
            ratio=median(slower),
            note=f"the same runs, {min(slower):.2f} to {max(slower):.2f}",
        ),
    ]


def _ask(which: str, port: int, for_s: float) -> Load:
    return load(
        port,
        requests(PATHS[which]),
        b"HTTP/1.1 204 ",
        connections=CONNECTIONS,
        for_s=for_s,
    )


@contextmanager
def _server(which: str) -> Iterator[int]:
    """A server on the other cores; gives its port."""
    command = [sys.executable, "-m", "tests.benchmarks.decision_server", which]
    with on(others()):
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with server:
        try:
            if server.stdout is None:
                raise RuntimeError("the server has no output")
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def _await_verdicts(port: int) -> None:
    """Waits until the hook has read the verdicts: the first account asked for has one."""
    with socket.create_connection(("127.0.0.1", port), 30.0) as sock:
        answer = b""
        while b"x-stillwatch-verdict: throttle" not in answer:
            sock.sendall(requests(PATHS["decision"])[0])
            answer = sock.recv(65_536)
