"""The real worker, made as `stillwatch worker` makes it, run to the end of its topic."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import perf_counter, process_time

from prometheus_client import CollectorRegistry

from detector.cli.worker import make_worker
from detector.metrics import WorkerMetrics
from detector.pipeline import Models
from detector.settings import load_settings
from detector.worker import Worker
from streams.log import Log


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work took: CPU seconds of the whole process, and seconds on the wall."""

    cpu_s: float
    wall_s: float


class Stopwatch:
    """Starts when it is made."""

    def __init__(self) -> None:
        self._cpu_s, self._wall_s = process_time(), perf_counter()

    def read(self) -> Cost:
        """What was taken since."""
        return Cost(process_time() - self._cpu_s, perf_counter() - self._wall_s)


def start_worker(log: Log, models: Models, group: str, **settings: object) -> Worker:
    """A worker that has joined; it does not own its partitions yet."""
    found = load_settings(None, group=group, **settings)
    metrics = WorkerMetrics(CollectorRegistry())
    return make_worker(log, found, models, metrics, threading.Event(), group)


def go_live(worker: Worker, partitions: int) -> None:
    """Turns until every partition is taken over and rebuilt."""
    while len(worker.shards) < partitions:
        worker.turn()


def work(worker: Worker, count: int) -> Cost:
    """Turns until so many records are committed."""
    watch = Stopwatch()
    done = 0
    while done < count:
        done += worker.turn()
    return watch.read()
