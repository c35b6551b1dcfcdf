"""The worker on a real broker: equal to the in-process log, and switches repeat there too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from prometheus_client import CollectorRegistry

from detector.allowlist import AllowEntry
from detector.control import CONTROL, Allow, PolicySwitch, Undo
from detector.output_records import ALERTS, TOPICS
from detector.worker import Worker
from tests.detector.renamed_log import RenamedLog
from tests.detector.snapshot_rig import PATIENT, files
from tests.detector.snapshot_rig import told as metric
from tests.detector.test_worker import BY, FAR_S, SHADOW_TEXT, accused, wanted
from tests.detector.worker_rig import (
    INPUT,
    PARTITIONS,
    directly,
    ends,
    new_log,
    new_worker,
    read_all,
    say,
    small_day,
    states,
    told,
)
from tests.services.kafka import KafkaBroker
from tests.streams.kafka_backend import KafkaBackend

LIMIT_S = 90.0


@pytest.fixture
def kafka_log(kafka_broker: KafkaBroker) -> Iterator[RenamedLog]:
    """Every topic of a deployment, with names of this test's own."""
    backend = KafkaBackend(kafka_broker.bootstrap)
    prefix = backend.name("worker") + "."
    counts = dict.fromkeys((INPUT, *TOPICS), PARTITIONS) | {CONTROL: 1}
    _create(backend.admin, {prefix + topic: count for topic, count in counts.items()})
    yield RenamedLog(backend.log, prefix)
    backend.close()


def _create(admin: KafkaAdminClient, counts: dict[str, int]) -> None:
    # The composed day, and with it what is put out, may lie ahead of this machine's clock.
    configs = {"message.timestamp.after.max.ms": str(2**63 - 1)}
    topics = {
        name: {"num_partitions": count, "replication_factor": 1, "configs": configs}
        for name, count in counts.items()
    }
    admin.create_topics(topics, wait_for_metadata=True)


def drain(*workers: Worker, log: RenamedLog) -> None:
    """Turns the workers until together they stand at the end, with no switch waiting."""
    want = ends(log, INPUT)
    give_up_s = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up_s:
        for worker in workers:
            worker.turn()
        shards = {n: s for w in workers for n, s in w.shards.items()}
        stand = {n: s.next_offset for n, s in shards.items()}
        if stand == want and not any(s.has_news() for s in shards.values()):
            return
    raise AssertionError(f"still not at the end {want} after {LIMIT_S} s")


def run_to(worker: Worker, count: int) -> None:
    """Turns a worker until it committed so many records."""
    done = 0
    give_up_s = time.monotonic() + LIMIT_S
    while done < count:
        done += worker.turn()
        assert time.monotonic() < give_up_s


@pytest.mark.parametrize(("size", "share"), [(1, 0.1), (7, 1.0), (5000, 1.0)])
def test_real_kafka_says_what_the_in_process_log_says(
    kafka_log: RenamedLog, size: int, share: float
) -> None:
    """The same log on real Kafka, cut into batches of 1, 7 and 5,000: the same outputs per
    partition in the same order, and the same state in canonical form."""
    day = small_day()[: int(len(small_day()) * share)]
    producer = kafka_log.producer()
    producer.send(day)
    producer.close()
    worker = new_worker(kafka_log, size=size)
    drain(worker, log=kafka_log)
    state, outputs = directly(new_log(day))
    assert states(worker) == state
    assert told(kafka_log) == outputs
    assert share < 1.0 or sum(map(len, outputs[ALERTS].values())) > 5
    worker.close()


def test_switches_and_restarts_on_real_kafka(kafka_log: RenamedLog) -> None:
    """Switches in the middle of the day, a second worker that takes half and leaves, a third that
    rebuilds everything: it has the very state, and no alert stands twice on its topic."""
    producer = kafka_log.producer()
    producer.send(small_day())
    producer.close()
    first = new_worker(kafka_log, size=100, member="first")
    run_to(first, len(small_day()) // 3)
    account = accused(wanted()[1])[1]
    entry = AllowEntry(
        tenant="default", scope="account", scope_id="x", reason="r", until_s=FAR_S, by="me"
    )
    say(
        kafka_log,
        PolicySwitch(**BY, text=SHADOW_TEXT, stamp="s"),
        Undo(**BY, tenant="default", scope="account", scope_id=account, until_s=FAR_S),
        Allow(**BY, entry=entry),
    )
    second = new_worker(kafka_log, size=100, member="second")
    give_up_s = time.monotonic() + LIMIT_S
    while len(second.shards) < PARTITIONS // 2 or len(first.shards) > PARTITIONS // 2:
        first.turn()
        second.turn()
        assert time.monotonic() < give_up_s
    second.close()
    drain(first, log=kafka_log)
    live = states(first)
    first.close()
    again = new_worker(kafka_log, size=700, member="again")
    drain(again, log=kafka_log)
    assert states(again) == live
    assert live != wanted()[0]
    again.close()
    alerts = [r.value for r in read_all(kafka_log, ALERTS)]
    assert len(alerts) == len(set(alerts)) > 5


def test_restarts_from_snapshots_on_real_kafka(kafka_log: RenamedLog, tmp_path: Path) -> None:
    """Workers that stop and start again, and one that takes half of the partitions and gives them
    back, go on from snapshots: the outputs and the state are those of a pipeline that ran through,
    and every partition came from a snapshot each time."""
    producer = kafka_log.producer()
    producer.send(small_day())
    producer.close()
    url = str(tmp_path)
    first = new_worker(
        kafka_log, size=100, member="first", snapshots=url, snapshot_settings=PATIENT
    )
    run_to(first, len(small_day()) // 3)
    stood = {number: shard.next_offset for number, shard in first.shards.items()}
    first.close()
    latest = {int(path.parent.name[10:]): int(path.name[:20]) for path in files(tmp_path)}
    assert latest == stood
    registry = CollectorRegistry()
    second = new_worker(
        kafka_log,
        size=100,
        member="second",
        snapshots=url,
        snapshot_settings=PATIENT,
        registry=registry,
    )
    run_to(second, len(small_day()) // 3)
    assert metric(registry, "recoveries_total", source="snapshot") == PARTITIONS
    assert metric(registry, "recoveries_total", source="replay") == 0
    registry = CollectorRegistry()
    third = new_worker(
        kafka_log,
        size=100,
        member="third",
        snapshots=url,
        snapshot_settings=PATIENT,
        registry=registry,
    )
    give_up_s = time.monotonic() + LIMIT_S
    while len(third.shards) < PARTITIONS // 2 or len(second.shards) > PARTITIONS // 2:
        second.turn()
        third.turn()
        assert time.monotonic() < give_up_s
    assert metric(registry, "recoveries_total", source="snapshot") == PARTITIONS // 2
    second.close()
    drain(third, log=kafka_log)
    state, outputs = directly(new_log(small_day()))
    assert states(third) == state
    assert told(kafka_log) == outputs
    assert metric(registry, "snapshots_skipped_total") == 0
    third.close()
    alerts = [r.value for r in read_all(kafka_log, ALERTS)]
    assert len(alerts) == len(set(alerts)) > 5
