"""A million damaged records through a worker: it never stops, and each is accounted for.

`STILLWATCH_BENCH_MUTATED` sets another number.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from random import Random

from prometheus_client import CollectorRegistry

from detector.cli.worker import make_worker
from detector.control import CONTROL
from detector.metrics import WorkerMetrics
from detector.output_records import TOPICS
from detector.pipeline import Models
from detector.settings import load_settings
from streams.log import OutputRecord
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from tests.benchmarks.bench_worker import Cost, go_live, work
from tests.benchmarks.kafka_day import INPUT
from tests.benchmarks.recorded_day import RecordedDay, released
from tests.benchmarks.report import Goal, Row

RECORDS = int(os.environ.get("STILLWATCH_BENCH_MUTATED", "1000000"))
ROUND = 50_000
"""So many stand in one log: a log in memory keeps them all."""
LONGEST = 1500
PARTITIONS = 2

_VALUES = (
    b"null", b"true", b"-1", b"1e400", b"[]", b"{}", b'""', b'"\\ud800"', b"99999999999999999999",
)  # fmt: skip


def measure(day: RecordedDay) -> list[Row]:
    """One row: the share of records that are neither applied nor a dead letter nor a duplicate."""
    models, _ = released()
    originals = [
        line
        for path in (day.native, day.openai)
        for line in path.read_bytes().splitlines()
        if len(line) <= LONGEST
    ]
    random = Random(1)  # noqa: S311 - it has to repeat
    done = accounted = dead = 0
    cpu_s = 0.0
    while done < RECORDS:
        count = min(ROUND, RECORDS - done)
        counts, cost = _round([*_mutated(originals, count, random)], models)
        cpu_s += cost.cpu_s
        done += count
        dead += counts["dead_letters"]
        accounted += sum(counts.values())
    return [
        Row(
            name=f"{RECORDS:,} mutated records, accounted for",
            value=float(accounted),
            unit="records",
            reference=float(done),
            ratio=accounted / done,
            goal=Goal("ratio", "least", 1.0),
            note=f"through a worker on the in-process log, native and OpenAI-shaped in turn; "
            f"{dead:,} dead letters, the others applied or duplicates; never stopped; "
            f"{done / cpu_s:,.0f} records a CPU second",
        )
    ]


def _round(values: Sequence[bytes], models: Models) -> tuple[dict[str, int], Cost]:
    """What became of these records, by a worker of their own."""
    log = MemoryLog()
    for topic in (INPUT, *TOPICS):
        log.create_topic(topic, TopicSettings(partitions=PARTITIONS))
    log.create_topic(CONTROL)
    log.producer().send(
        OutputRecord(INPUT, None, value, 1_790_000_000.0, partition=i % PARTITIONS)
        for i, value in enumerate(values)
    )
    registry = CollectorRegistry()
    worker = make_worker(
        log,
        load_settings(None, group="mutated", bad_ratio_cap=1.0),
        models,
        WorkerMetrics(registry),
        threading.Event(),
        "mutated",
    )
    go_live(worker, PARTITIONS)
    cost = work(worker, len(values))
    worker.close()

    def told(name: str) -> int:
        return int(
            sum(
                sample.value
                for family in registry.collect()
                for sample in family.samples
                if sample.name == f"stillwatch_{name}_total"
            )
        )

    return {name: told(name) for name in ("requests", "dead_letters", "duplicates")}, cost


def _mutated(originals: Sequence[bytes], count: int, random: Random) -> Iterator[bytes]:
    """Records with one to three faults, each of a kind that producers and disks have shown."""
    for _ in range(count):
        value = bytearray(random.choice(originals))
        for _ in range(random.randint(1, 3)):
            _damage(value, random)
        yield bytes(value)


def _damage(value: bytearray, random: Random) -> None:
    at = random.randrange(len(value)) if value else 0
    kind = random.randrange(6)
    if kind == 0 and value:
        value[at] ^= 1 << random.randrange(8)
    elif kind == 1:
        del value[at:]
    elif kind == 2:
        del value[at : at + random.randint(1, 40)]
    elif kind == 3:
        value[at:at] = value[at : at + random.randint(1, 40)]
    elif kind == 4:
        value[at:at] = bytes(random.randrange(256) for _ in range(random.randint(1, 4)))
    else:  # another value behind some key
        colon = value.find(b":", at)
        if colon >= 0:
            stop = value.find(b",", colon)
            value[colon + 1 : max(stop, colon + 1)] = random.choice(_VALUES)
