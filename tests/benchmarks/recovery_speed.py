"""How long a worker takes to stand where another one stopped."""

from __future__ import annotations

from statistics import median

from detector.pipeline import Models
from tests.benchmarks.bench_worker import Cost, Stopwatch, go_live, start_worker, work
from tests.benchmarks.kafka_day import PARTITIONS, KafkaDay, kafka_day
from tests.benchmarks.recorded_day import RecordedDay, released
from tests.benchmarks.report import Row

ROUNDS = 3


def measure(day: RecordedDay) -> list[Row]:
    """One row: recovery by silent replay of the whole topic; no goal."""
    models, _ = released()
    with kafka_day(day) as kafka:
        first = start_worker(kafka.log, models, "recovery")
        go_live(first, PARTITIONS)
        work(first, kafka.count)
        first.close()
        costs = [_recover(kafka, models) for _ in range(ROUNDS)]
        count = kafka.count
    wall_s = median(cost.wall_s for cost in costs) / count * 1e6
    cpu_s = median(cost.cpu_s for cost in costs) / count * 1e6
    spread = sorted(cost.wall_s / count * 1e6 for cost in costs)
    return [
        Row(
            name="recovery of a million events by silent replay",
            value=wall_s,
            unit="s",
            note=f"from the start of a worker to its last partition live; from {count:,} events; "
            f"{cpu_s:.1f} s of CPU; {ROUNDS} rounds, {spread[0]:.1f} to {spread[-1]:.1f} s",
        )
    ]


def _recover(kafka: KafkaDay, models: Models) -> Cost:
    watch = Stopwatch()
    worker = start_worker(kafka.log, models, "recovery")
    go_live(worker, PARTITIONS)
    cost = watch.read()
    worker.close()
    return cost
