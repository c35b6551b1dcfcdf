"""Real `stillwatch worker` processes, started fast: forked from one with everything imported."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

PRELOAD = ["detector.cli.main", "detector.cli.worker", "tests.integration.worker_herd"]


@dataclass(frozen=True)
class Member:
    """A worker process. `name` is what it calls itself in its group."""

    name: str
    process: BaseProcess
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it runs (frozen or not)."""
        return self.process.is_alive()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to a process that runs."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


class Herd:
    """Starts workers and keeps book of those that ended."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = dict(environment)
        self._folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)
        self._started = 0

    @property
    def logs(self) -> list[Path]:
        """What each of them said, in the order they were started."""
        return sorted(self._folder.glob("*.log"))

    def start(self, name: str, *options: str, **changes: str) -> Member:
        """A new worker with these options; `changes` to its environment."""
        self._started += 1
        log = self._folder / f"{self._started:03}-{name}.log"
        log.touch()
        process = self._context.Process(
            target=run_worker,
            args=(
                {**self._environment, **changes},
                ["worker", "--member", name, *options],
                str(log),
            ),
            daemon=True,
        )
        process.start()
        return Member(name, process, log)


def run_worker(environment: Mapping[str, str], arguments: Sequence[str], log: str) -> None:
    """What a forked process runs: the command line, to its end."""
    from detector.cli.main import app  # noqa: PLC0415 - already there: the fork server has it

    os.environ.clear()
    os.environ.update(environment)
    with open(log, "wb") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    sys.argv = ["stillwatch", *arguments]
    app()


def wait_until_ended(members: Sequence[Member], limit_s: float) -> None:
    """Returns when all have ended. Raises TimeoutError with the end of a log."""
    give_up_s = time.monotonic() + limit_s
    for member in members:
        member.process.join(max(give_up_s - time.monotonic(), 0.0))
        if member.alive:
            raise TimeoutError(f"{member.name} does not end:\n{member.log.read_text()[-4000:]}")
