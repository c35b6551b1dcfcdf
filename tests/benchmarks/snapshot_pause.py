"""How long a snapshot holds the stream up, how large it is, and what it saves at a start."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter, thread_time

import msgspec
import numpy as np
from prometheus_client import CollectorRegistry

from detector.control import CONTROL
from detector.metrics import WorkerMetrics
from detector.output_records import TOPICS
from detector.pipeline import Models, Pipeline
from detector.policy import default_policy_path, parse_policy
from detector.shard import Shard
from detector.snapshot_keeper import SnapshotKeeper
from detector.snapshot_store import SnapshotStore
from detector.switches import ModelShelf
from detector.worker import Worker
from detector.worker_settings import SnapshotSettings, WorkerSettings
from streams.log import OutputRecord, TopicPartition
from streams.memory_log import MemoryLog
from streams.record import ApiRequest
from tests.benchmarks.recorded_day import RecordedDay, read_requests, released
from tests.benchmarks.report import Goal, Row
from tests.benchmarks.tiny_requests import T0_S, first_request

ACCOUNTS = 200_000
ACTIVE = 20_000
"""So many of them send requests meanwhile."""
BATCH = 2_000
QUIET = 10
"""Turns measured without a snapshot."""
BETWEEN = 5
"""Turns before each snapshot of changed rows."""
CHANGED = 2
"""Snapshots of changed rows after the full one."""
EVERY_S = 1000.0
"""Snapshots are due when the keeper's clock is moved on by this."""

AT = TopicPartition("llm.requests", 0)
GROUP = "bench"


class TimedKeeper(SnapshotKeeper):
    """Notes how long each turn waits for it, and the CPU seconds of that."""

    waits: list[tuple[float, float]]

    def turn(self, settled: Mapping[TopicPartition, Shard]) -> None:
        """As ever."""
        start, cpu = perf_counter(), thread_time()
        super().turn(settled)
        self.waits.append((perf_counter() - start, thread_time() - cpu))


class Bench:
    """Workers on an in-process log, one after the other, and requests for them."""

    def __init__(self, models: Models, requests: Sequence[ApiRequest], accounts: int) -> None:
        self.log = _filled_log(accounts)
        self.registry = CollectorRegistry()
        self.ahead_s = 0.0
        self._models = models
        self._values = _values(requests, accounts)
        self._producer = self.log.producer()

    def keeper(self, folder: str, metrics: WorkerMetrics) -> TimedKeeper:
        """A keeper whose clock is moved on by `ahead_s`."""
        keeper = TimedKeeper(
            SnapshotStore(folder),
            SnapshotSettings(changed_every_s=EVERY_S, full_every_s=1000 * EVERY_S),
            metrics.snapshots,
            group=GROUP,
            partitions_of=self.log.partitions_for,
            monotonic_s=lambda: perf_counter() + self.ahead_s,
        )
        keeper.waits = []
        return keeper

    def worker(self, metrics: WorkerMetrics, keeper: SnapshotKeeper | None) -> Worker:
        """A worker that has joined."""
        text = default_policy_path().read_text("utf-8")
        return Worker(
            self.log,
            Pipeline(self._models, parse_policy(text, "policy")),
            ModelShelf(self._models, lambda _: self._models),
            WorkerSettings(
                topic=AT.topic,
                group=GROUP,
                member_id=GROUP,
                policy_text=text,
                batch_records=BATCH,
                poll_s=0.0,
            ),
            metrics,
            threading.Event(),
            now_s=lambda: T0_S,
            monotonic_s=perf_counter,
            keeper=keeper,
        )

    def turn(self, worker: Worker) -> float:
        """Writes a batch and has it handled; seconds of the turn."""
        self._producer.send(
            OutputRecord(AT.topic, None, next(self._values), T0_S, partition=0)
            for _ in range(BATCH)
        )
        start = perf_counter()
        worker.turn()
        return perf_counter() - start

    def recover(self, folder: str | None) -> float:
        """Seconds from the start of a worker to its partition live. The one before is gone."""
        self.log.expire_member(GROUP, GROUP)
        metrics = WorkerMetrics(CollectorRegistry())
        start = perf_counter()
        worker = self.worker(metrics, self.keeper(folder, metrics) if folder else None)
        while not worker.shards:
            worker.turn()
        return perf_counter() - start

    def told(self, name: str, **labels: str) -> float:
        """A metric of the worker that writes the snapshots."""
        return self.registry.get_sample_value(f"stillwatch_{name}", labels) or 0.0


def measure(day: RecordedDay, accounts: int = ACCOUNTS) -> list[Row]:
    """Three rows: the wait for snapshots, their size, and a start with one beside a start without.

    In one process on one core: what the writing thread takes, the stream loses.
    """
    bench = Bench(released()[0], read_requests(day.native), accounts)
    with tempfile.TemporaryDirectory() as folder:
        metrics = WorkerMetrics(bench.registry)
        keeper = bench.keeper(folder, metrics)
        worker = bench.worker(metrics, keeper)
        handled = 0
        while handled < accounts:
            handled += worker.turn()
        quiet = [bench.turn(worker) for _ in range(QUIET)]
        keeper.waits = []
        meanwhile = _until_written(bench, worker, "full", 1)
        full_s, full_bytes = sum(meanwhile), bench.told("snapshot_written_bytes_total")
        for number in range(CHANGED):
            for _ in range(BETWEEN):
                bench.turn(worker)
            meanwhile += _until_written(bench, worker, "changed", number + 1)
        changed_bytes = (bench.told("snapshot_written_bytes_total") - full_bytes) / CHANGED
        waits = np.array([wait for wait in keeper.waits if wait[0] > 1e-4]) * 1e3
        events = worker.shards[0].next_offset
        by_snapshot_s = bench.recover(folder)
        by_replay_s = bench.recover(None)
    return [
        Row(
            name=f"pause of the stream for a snapshot, p99, at {accounts:,} accounts",
            value=float(np.quantile(waits[:, 0], 0.99)),
            unit="ms",
            goal=Goal("value", "most", 50.0),
            note=f"one full and {CHANGED} of changed rows, under load; of {len(waits)} turns that "
            f"waited: median {np.median(waits[:, 0]):.1f} ms, longest {waits[:, 0].max():.1f} ms, "
            f"of CPU {np.median(waits[:, 1]):.1f} and {waits[:, 1].max():.1f} ms; a turn of "
            f"{BATCH:,} records took {_ms(quiet, 0.5)} ms before, {_ms(meanwhile, 0.5)} ms "
            f"meanwhile (median), and {_ms(quiet, 1.0)} and {_ms(meanwhile, 1.0)} ms (longest)",
        ),
        Row(
            name="size of a full snapshot, an account",
            value=full_bytes / accounts,
            unit="bytes",
            note=f"most with one request, each with a key; {full_bytes / 2**20:.0f} MiB in "
            f"{full_s:.1f} s under load; one of the changed rows of {ACTIVE:,} busy accounts: "
            f"{changed_bytes / 2**20:.1f} MiB",
        ),
        Row(
            name=f"start of a worker from a snapshot of {accounts:,} accounts",
            value=by_snapshot_s,
            unit="s",
            reference=by_replay_s,
            ratio=by_snapshot_s / by_replay_s,
            note=f"reference: silent replay of all {events:,} records, few for so many "
            "accounts; with more, the replay alone takes longer",
        ),
    ]


def _until_written(bench: Bench, worker: Worker, kind: str, count: int) -> list[float]:
    """Turns until so many snapshots of a kind are written; seconds of each."""
    bench.ahead_s += 2 * EVERY_S
    seconds = []
    while bench.told("snapshots_total", kind=kind) < count:
        seconds.append(bench.turn(worker))
        if bench.told("snapshot_failures_total"):
            raise RuntimeError("a snapshot was not written")
    return seconds


def _filled_log(accounts: int) -> MemoryLog:
    """One small request of each account on a topic of one partition."""
    log = MemoryLog()
    for topic in (AT.topic, *TOPICS, CONTROL):
        log.create_topic(topic)
    log.producer().send(
        OutputRecord(AT.topic, None, first_request(number), T0_S, partition=0)
        for number in range(accounts)
    )
    return log


def _values(requests: Sequence[ApiRequest], accounts: int) -> Iterator[bytes]:
    """Composed requests without end, of active accounts drawn at random."""
    rng = np.random.default_rng(accounts)
    encode = msgspec.json.Encoder().encode
    number = 0
    while True:
        for at in rng.integers(0, min(ACTIVE, accounts), BATCH).tolist():
            name = {"account": f"acct_{at:07d}", "key": f"key_{at:07d}", "event_id": f"e-{number}"}
            request = requests[number % len(requests)]
            number += 1
            yield encode(
                msgspec.structs.replace(request, **name, end_user=None, event_time_s=T0_S + 60.0)
            )


def _ms(seconds: Sequence[float], quantile: float) -> str:
    return f"{np.quantile(seconds, quantile) * 1e3:.0f}"
