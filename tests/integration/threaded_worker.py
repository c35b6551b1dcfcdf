"""A worker in a thread of the test, as `stillwatch worker` makes it: its metrics are at hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from detector.cli.worker import make_worker
from detector.metrics import WorkerMetrics
from detector.settings import Settings
from detector.worker import Worker
from streams.log import Log
from tests.detector.runs import released

LIMIT_S = 120.0
"""Patience with a busy machine."""


class ThreadedWorker:
    """Runs from the start. `worker` may be looked at once it stopped."""

    def __init__(self, log: Log, settings: Settings, member: str) -> None:
        self.registry = CollectorRegistry()
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self.worker: Worker = make_worker(
            log, settings, released(), WorkerMetrics(self.registry), self._stop, member
        )
        self._thread = threading.Thread(target=self._run, name=member)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def metric(self, name: str, **labels: str) -> float:
        """A sample; 0 where there is none yet."""
        return self.registry.get_sample_value(f"stillwatch_{name}", labels) or 0.0

    def stop(self) -> None:
        """Stops it; raises what ended it before."""
        self.end()
        if self.alive:
            raise TimeoutError(f"{self._thread.name} does not stop")
        if self.error is not None:
            raise self.error

    def end(self) -> None:
        """Stops it, however it stands."""
        self._stop.set()
        self._thread.join(LIMIT_S)

    def _run(self) -> None:
        try:
            self.worker.run()
        except BaseException as error:  # noqa: BLE001 - raised by `stop`
            self.error = error


def until(true: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Waits for something that other threads or processes do. Raises TimeoutError."""
    give_up_s = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > give_up_s:
            raise TimeoutError(f"waited {limit_s:g} s in vain: {what}")
        time.sleep(0.05)
