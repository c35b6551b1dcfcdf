"""The demo's engine: a composed day through the embedded log, one transaction a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from detector.lake import Lake
from detector.ledger import Ledger
from detector.output_records import TOPICS, output_records
from detector.outputs import Outputs
from detector.partition import PartitionSettings
from detector.pipeline import Models, Pipeline
from detector.policy import Policy
from detector.settings import Settings
from streams.deadletters import RatioCap
from streams.log import LogRecord, OutputRecord, TopicPartition
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from streams.record import ApiRequest

INPUT: Final = "llm.requests"
PARTITIONS: Final = 4
GROUP: Final = "stillwatch"
BATCH_RECORDS: Final = 1000


@dataclass(slots=True)
class DemoState:
    """What the view shows.

    Attributes:
        total, done: records of the day, and those handled.
        clock_s: event time reached.
        out: outputs of the last batch.
    """

    total: int
    done: int = 0
    clock_s: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    counts: Counter[str] = field(default_factory=Counter)
    accounts: set[bytes] = field(default_factory=set)
    out: Outputs = field(default_factory=Outputs)


def fill(requests: list[ApiRequest]) -> MemoryLog:
    """A log whose topic `llm.requests` holds the requests as native JSON, keyed by account."""
    log = MemoryLog()
    for topic in (INPUT, *TOPICS):
        log.create_topic(topic, TopicSettings(partitions=PARTITIONS))
    encode = msgspec.json.Encoder().encode
    log.producer().send(
        OutputRecord(
            INPUT,
            None if r.account is None else r.account.encode(),
            encode(r),
            r.event_time_s or 0.0,
        )
        for r in requests
    )
    return log


def play(
    log: MemoryLog,
    total: int,
    settings: Settings,
    models: Models,
    policy: Policy,
    lake: Lake | None = None,
    *,
    told: Callable[[DemoState], None],
) -> DemoState:
    """Consumes the topic to its end; `told` hears of each batch, the last scoring included.

    Raises TooManyBadRecords, and LakeError when the lake cannot be written.
    """
    state = DemoState(total)
    pipeline = Pipeline(
        models,
        policy,
        PartitionSettings(
            intake=settings.intake,
            lateness_s=settings.lateness_s,
            keep_facts=lake is not None,
        ),
        RatioCap(settings.bad_ratio_cap),
    )
    consumer = log.consumer(GROUP, [INPUT], member_id="demo")
    producer = log.producer(f"{GROUP}-demo")
    while records := consumer.poll(BATCH_RECORDS, 0.0):
        out, offsets = Outputs(), {}
        for tp, part in _by_partition(records):
            out.add(pipeline.process(part, tp.partition))
            offsets[tp] = part[-1].offset + 1
        producer.send_transaction(output_records(out), offsets, consumer.group_metadata())
        state.done += len(records)
        state.clock_s = records[-1].timestamp_s
        state.accounts.update(r.key for r in records if r.key is not None)
        _take(state, out, lake, told)
    out = pipeline.finish()
    producer.send_transaction(output_records(out), {})
    _take(state, out, lake, told)
    if lake is not None:
        lake.flush()
    consumer.close()
    producer.close()
    return state


def _take(
    state: DemoState, out: Outputs, lake: Lake | None, told: Callable[[DemoState], None]
) -> None:
    state.ledger.add(out)
    state.counts += out.counts
    state.counts["alerts"] += sum(alert.state == "open" for alert, _ in out.alerts)
    if lake is not None:
        lake.add(out)
    state.out = out
    told(state)


def _by_partition(
    records: list[LogRecord],
) -> Iterator[tuple[TopicPartition, list[LogRecord]]]:
    parts: dict[int, list[LogRecord]] = {}
    for record in records:
        parts.setdefault(record.partition, []).append(record)
    for number in sorted(parts):
        yield TopicPartition(INPUT, number), parts[number]
