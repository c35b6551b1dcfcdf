"""Events per second of the whole worker on real Kafka beside poll and untyped decode."""

from __future__ import annotations

from statistics import median

import msgspec

from detector.pipeline import Models
from tests.benchmarks.bench_worker import Cost, Stopwatch, go_live, start_worker, work
from tests.benchmarks.kafka_day import PARTITIONS, KafkaDay, kafka_day
from tests.benchmarks.recorded_day import RecordedDay, released
from tests.benchmarks.report import Goal, Row

PAIRS = 7
BATCH = 2000


def measure(day: RecordedDay) -> list[Row]:
    """Three rows: CPU time with the goal, the same with the later goal, and time on the wall."""
    models, _ = released()
    with kafka_day(day) as kafka:
        _worker(kafka, models, "warm-up")
        _reference(kafka)
        pairs = [
            (_reference(kafka), _worker(kafka, models, f"speed-{turn}")) for turn in range(PAIRS)
        ]
        count = kafka.count
    cpu = [(reference.cpu_s, ours.cpu_s) for reference, ours in pairs]
    wall = [(reference.wall_s, ours.wall_s) for reference, ours in pairs]
    place = (
        f"{count:,} native records of the composed day, lz4, {PARTITIONS} partitions, batches of "
        f"{BATCH:,}, a transaction each; broker on another core"
    )
    return [
        _row("worker on Kafka", count, cpu, Goal("ratio", "least", 0.3),
             f"CPU time of the process; {place}; reference: poll + untyped decode"),
        _row("worker on Kafka, the later goal", count, cpu, Goal("ratio", "least", 0.45),
             "the same figures"),
        _row("worker on Kafka, on the wall", count, wall, None,
             "the same runs, with all waiting for the broker"),
    ]  # fmt: skip


def _row(
    name: str, count: int, pairs: list[tuple[float, float]], goal: Goal | None, note: str
) -> Row:
    ratios = [reference / ours for reference, ours in pairs]
    reference, ours = (median(side) for side in zip(*pairs, strict=True))
    return Row(
        name=name,
        value=count / ours,
        unit="events/s",
        reference=count / reference,
        ratio=median(ratios),
        goal=goal,
        note=f"{note}; median of {len(pairs)} pairs, ratios {min(ratios):.2f} to {max(ratios):.2f}",
    )


def _reference(kafka: KafkaDay) -> Cost:
    """The same client, the same topic, the least that can be done with a record."""
    reader = kafka.log.reader(kafka.partitions)
    decode = msgspec.json.decode
    watch = Stopwatch()
    done = 0
    while done < kafka.count:
        records = reader.poll(BATCH, 1.0)
        for record in records:
            decode(record.value)
        done += len(records)
    cost = watch.read()
    reader.close()
    return cost


def _worker(kafka: KafkaDay, models: Models, group: str) -> Cost:
    worker = start_worker(kafka.log, models, group, batch_records=BATCH)
    go_live(worker, PARTITIONS)
    cost = work(worker, kafka.count)
    worker.close()
    return cost
