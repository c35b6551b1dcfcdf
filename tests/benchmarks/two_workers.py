"""Two workers beside one: partitions are independent, so a second core should double the speed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

from detector.control import CONTROL
from detector.output_records import TOPICS
from streams.log import OutputRecord
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from streams.partitioner import partition_for
from tests.benchmarks.bench_worker import Cost, go_live, start_worker, work
from tests.benchmarks.cores import every_core, on, ours
from tests.benchmarks.kafka_day import INPUT
from tests.benchmarks.recorded_day import RecordedDay, read_requests, released
from tests.benchmarks.report import Goal, Row

PARTITIONS = 8
ROUNDS = 5


def measure(day: RecordedDay) -> list[Row]:
    """One row, with the goal: both workers on the in-process log, so that no broker takes part."""
    cores = sorted(every_core())[-2:]
    if len(cores) < 2:
        cores = [*ours()] * 2
    halves = _halves(day.native)
    count = sum(lines for lines, _ in halves)
    parts = [numbers for _, numbers in halves]
    everything = parts[0] + parts[1]
    with ExitStack() as stack:
        pipes = [
            stack.enter_context(_Member(day.native, part, core)).pipe
            for part, core in [(everything, cores[1]), *zip(parts, cores, strict=True)]
        ]
        pairs = []
        for turn in range(ROUNDS + 1):
            one = _run(pipes[:1])
            two = _run(pipes[1:])
            if turn:  # the first is the warm-up
                pairs.append((one, two))
    ratios = [one.wall_s / two.wall_s for one, two in pairs]
    by_cpu = median(one.cpu_s / two.cpu_s for one, two in pairs)
    one_s, two_s = (median(cost.wall_s for cost in side) for side in zip(*pairs, strict=True))
    return [
        Row(
            name="two workers ÷ one",
            value=count / two_s,
            unit="events/s",
            reference=count / one_s,
            ratio=median(ratios),
            goal=Goal("ratio", "least", 1.8),
            note=f"on the wall, {PARTITIONS} partitions on the in-process log, a core each, no "
            f"broker; halves of {halves[0][0]:,} and {halves[1][0]:,} records; median of {ROUNDS} "
            f"pairs, {min(ratios):.2f} to {max(ratios):.2f}; by the CPU time of the busier one "
            f"{by_cpu:.2f}: what lies between is other work on these cores",
        )
    ]


def _halves(native: Path) -> list[tuple[int, list[int]]]:
    """Two sets of partitions that are as nearly equal as may be: (records, numbers)."""
    counts = [0] * PARTITIONS
    for request in read_requests(native):
        counts[partition_for((request.account or "").encode(), PARTITIONS)] += 1
    best: tuple[int, int] = (sum(counts), 0)
    for chosen in range(1, 2 ** (PARTITIONS - 1)):
        inside = sum(count for n, count in enumerate(counts) if chosen >> n & 1)
        best = min(best, (abs(sum(counts) - 2 * inside), chosen))
    sets = [[n for n in range(PARTITIONS) if (best[1] >> n & 1) == side] for side in (0, 1)]
    return [(sum(counts[n] for n in numbers), numbers) for numbers in sets]


class _Member:
    """A process of its own on one core, with its partitions in an in-process log."""

    def __init__(self, native: Path, numbers: list[int], core: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, native, numbers))
        with on({core}):
            self._process.start()

    def __enter__(self) -> _Member:
        self.pipe.recv()  # all is read
        return self

    def __exit__(self, *_: object) -> None:
        self.pipe.send(False)
        self._process.join()


def _run(pipes: Sequence[Connection]) -> Cost:
    """The most that any of them took."""
    for pipe in pipes:
        pipe.send(True)
    for pipe in pipes:
        pipe.recv()  # live, and waiting for the others
    for pipe in pipes:
        pipe.send(True)
    costs: list[Cost] = [pipe.recv() for pipe in pipes]
    return Cost(max(cost.cpu_s for cost in costs), max(cost.wall_s for cost in costs))


def _serve(pipe: Connection, native: Path, numbers: list[int]) -> None:
    models, _ = released()
    values = native.read_bytes().splitlines()
    records = []
    for request, value in zip(read_requests(native), values, strict=True):
        key = (request.account or "").encode()
        number = partition_for(key, PARTITIONS)
        if number in numbers:
            at_s = request.event_time_s or 0.0
            records.append(OutputRecord(INPUT, key, value, at_s, partition=numbers.index(number)))
    pipe.send(True)
    while pipe.recv():
        log = MemoryLog()
        for topic in (INPUT, *TOPICS):
            log.create_topic(topic, TopicSettings(partitions=len(numbers)))
        log.create_topic(CONTROL)
        log.producer().send(records)
        worker = start_worker(log, models, "two-workers")
        go_live(worker, len(numbers))
        pipe.send(True)
        pipe.recv()
        pipe.send(work(worker, len(records)))
        worker.close()
