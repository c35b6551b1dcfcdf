"""A worker over a small log: topics, a composed day, and what is compared afterwards."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import count
from typing import Protocol

import msgspec
from prometheus_client import CollectorRegistry

from detector.cohort_records import SIGHTINGS
from detector.control import CONTROL, SwitchRecord, switch_record
from detector.metrics import WorkerMetrics
from detector.output_records import ALERTS, TOPICS, output_records
from detector.outputs import Outputs
from detector.partition import Partition, PartitionSettings
from detector.pipeline import Models, Pipeline
from detector.policy import default_policy_path, parse_policy
from detector.snapshot_keeper import SnapshotKeeper
from detector.snapshot_store import SnapshotStore
from detector.switches import LoadModels, ModelShelf
from detector.worker import Worker
from detector.worker_settings import SnapshotSettings, WorkerSettings
from streams.log import Log, LogRecord, OutputRecord, TopicPartition
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from streams.traffic.day import compose_day
from tests.detector.runs import NATIVE, released

INPUT = "llm.requests"
GROUP = "stillwatch"
PARTITIONS = 4
POLICY_TEXT = default_policy_path().read_text("utf-8")
KEPT = 20
"""So many benign accounts are kept, and as many of the campaigns."""


@cache
def small_day() -> tuple[OutputRecord, ...]:
    """A composed day of forty accounts as native records keyed by account."""
    day = compose_day(5, benign_accounts=40)
    campaigns = {c.name for c in day.campaigns}
    planted = [a for a, kind in day.truth.items() if kind in campaigns]
    benign = [a for a, kind in day.truth.items() if kind not in campaigns]
    kept = {*benign[:KEPT], *planted[:: max(1, len(planted) // KEPT)]}
    return tuple(
        OutputRecord(INPUT, r.account.encode(), msgspec.json.encode(r), r.event_time_s or 0.0)
        for r in day.requests
        if r.account in kept and r.account is not None
    )


def new_log(records: Sequence[OutputRecord] = (), partitions: int = PARTITIONS) -> MemoryLog:
    """A log with every topic and these input records."""
    log = MemoryLog()
    for topic in (INPUT, *TOPICS):
        log.create_topic(topic, TopicSettings(partitions=partitions))
    log.create_topic(CONTROL)
    log.producer().send(records)
    return log


class Clock(Protocol):
    """Gives a time."""

    def __call__(self) -> float: ...


def ticking() -> Clock:
    """A clock that moves by a second each time it is looked at."""
    seconds = count(1_800_000_000)
    return lambda: float(next(seconds))


_CLOCK = ticking()


def no_models(_: object) -> Models:
    """For workers that are to load none."""
    raise AssertionError("no models are to be loaded")


def new_worker(
    log: Log,
    *,
    size: int = 5000,
    member: str = "w",
    cap: float = 0.5,
    models: Models | None = None,
    load: LoadModels = no_models,
    policy_text: str = POLICY_TEXT,
    settings: PartitionSettings = NATIVE,
    registry: CollectorRegistry | None = None,
    stop: threading.Event | None = None,
    topic: str = INPUT,
    group: str = GROUP,
    snapshots: str | None = None,
    snapshot_settings: SnapshotSettings | None = None,
    now_s: Clock | None = None,
    monotonic_s: Clock | None = None,
) -> Worker:
    """A worker that has joined; it asks for switches in every turn.

    `snapshots` is the URL of their store; the clocks tick where none are given.
    """
    found = models or released()
    metrics = WorkerMetrics(registry or CollectorRegistry())
    clock = monotonic_s or ticking()
    keeper = snapshots and SnapshotKeeper(
        SnapshotStore(snapshots),
        snapshot_settings or SnapshotSettings(),
        metrics.snapshots,
        group=group,
        partitions_of=log.partitions_for,
        monotonic_s=clock,
    )
    return Worker(
        log,
        Pipeline(found, parse_policy(policy_text, "policy"), settings),
        ModelShelf(found, load),
        WorkerSettings(
            topic=topic,
            group=group,
            member_id=member,
            policy_text=policy_text,
            batch_records=size,
            bad_ratio_cap=cap,
            poll_s=0.0,
            control_every_s=0.0,
            retry_s=0.0,
        ),
        metrics,
        stop or threading.Event(),
        now_s=now_s or _CLOCK,
        monotonic_s=clock,
        keeper=keeper or None,
    )


def ends(log: Log, topic: str) -> dict[int, int]:
    """End offset of each partition of a topic."""
    parts = [TopicPartition(topic, n) for n in range(log.partitions_for(topic))]
    reader = log.reader(parts)
    found = reader.end_offsets()
    reader.close()
    return {at.partition: end for at, end in found.items()}


def drain(*workers: Worker, log: Log, topic: str = INPUT) -> None:
    """Turns the workers until together they stand at the end of the topic, with nothing to do."""
    want = ends(log, topic)
    for _ in range(100_000):
        handled = sum([worker.turn() for worker in workers])
        shards = {n: s for w in workers for n, s in w.shards.items()}
        if handled or any(s.has_news() for s in shards.values()):
            continue
        if {n: s.next_offset for n, s in shards.items()} == want:
            return
    raise AssertionError("the workers never came to the end")


def say(log: Log, *switches: SwitchRecord) -> None:
    """Writes control records as the command line does."""
    producer = log.producer()
    producer.send(switch_record(switch, 1_800_000_000.0 + i) for i, switch in enumerate(switches))
    producer.close()


def read_all(log: Log, topic: str) -> list[LogRecord]:
    """Every committed record of a topic, partition by partition."""
    out: list[LogRecord] = []
    for number, end in ends(log, topic).items():
        at = TopicPartition(topic, number)
        reader = log.reader([at])
        while reader.positions()[at] < end:
            out += reader.poll(5000, 0.1)
        reader.close()
    return out


Told = dict[str, dict[int, list[tuple[bytes | None, bytes]]]]


def told(log: Log, topics: Sequence[str] = TOPICS) -> Told:
    """Keys and values of the outputs, by topic and partition, in order; sightings sorted."""
    out: Told = {}
    for topic in topics:
        parts: dict[int, list[tuple[bytes | None, bytes]]] = defaultdict(list)
        for record in read_all(log, topic):
            parts[record.partition].append((record.key, record.value))
        if topic == SIGHTINGS:  # one partition for all inputs: how they interleave is not set
            parts = {number: sorted(part) for number, part in parts.items()}
        out[topic] = dict(parts)
    return out


State = tuple[tuple[str, ...], bytes, bytes, bytes]


def state_of(partition: Partition) -> State:
    """A partition's state in canonical form: tables, verdict book, allow-list, alert book."""
    return (
        partition.state.digest(),
        msgspec.json.encode(partition.verdicts.dump(), order="deterministic"),
        msgspec.json.encode(partition.verdicts.dump_allowed(), order="deterministic"),
        msgspec.json.encode(partition.alerts.dump(), order="deterministic"),
    )


def states(*workers: Worker) -> dict[int, State]:
    """State by partition over all workers."""
    return {n: state_of(s.partition) for w in workers for n, s in w.shards.items()}


def directly(
    log: Log,
    topic: str = INPUT,
    settings: PartitionSettings = NATIVE,
    partitions: int = PARTITIONS,
) -> tuple[dict[int, State], Told]:
    """State and outputs of a pipeline that is given each partition whole, without a worker.

    Outputs of other topics than alerts are told as a set of one partition each: their order over
    partitions is the worker's.
    """
    pipeline = Pipeline(released(), parse_policy(POLICY_TEXT, "policy"), settings)
    made = MemoryLog()
    for name in TOPICS:
        made.create_topic(name, TopicSettings(partitions=partitions))
    producer = made.producer()
    parts: dict[int, list[LogRecord]] = defaultdict(list)
    for record in read_all(log, topic):
        parts[record.partition].append(record)
    for number, records in sorted(parts.items()):
        out: Outputs = pipeline.process(records, number)
        producer.send(output_records(out))
    return {n: state_of(p) for n, p in pipeline.partitions.items()}, told(made)


def alerts_of(found: Told) -> dict[int, list[tuple[bytes | None, bytes]]]:
    """The alerts of what was told."""
    return found[ALERTS]
