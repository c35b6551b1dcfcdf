"""Workers and a broker that is away, comes back, is slow, or throws them out: one real broker."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from detector.control import CONTROL
from detector.output_records import ALERTS, TOPICS
from detector.settings import Settings
from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.kafka_topics import create_topics
from streams.topics import topic_specs
from tests.detector.renamed_log import RenamedLog
from tests.detector.worker_rig import INPUT, PARTITIONS, directly, ends, new_log, small_day, told
from tests.integration.threaded_worker import LIMIT_S, ThreadedWorker, until
from tests.integration.worker_herd import Herd, Member, wait_until_ended
from tests.services.kafka import free_ports
from tests.services.kafka_cluster import KafkaCluster, folder_for

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

TIMES: dict[str, Any] = {"session_timeout_s": 4.0, "heartbeat_s": 0.3, "transaction_timeout_s": 6.0}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One broker for this file."""
    made = KafkaCluster(folder_for(tmp_path_factory.mktemp("cluster")), os.getpid(), brokers=1)
    yield made
    made.close()


@pytest.fixture
def workers() -> Iterator[list[ThreadedWorker]]:
    """Those that a test puts in are ended, whatever happened."""
    made: list[ThreadedWorker] = []
    yield made
    for one in made:
        one.end()


@pytest.fixture(params=["direct"])
def log(cluster: KafkaCluster, request: pytest.FixtureRequest) -> Iterator[RenamedLog]:
    """A deployment's topics under names of the test's own; "slow": reached through the proxy."""
    prefix = f"trouble{next(_numbers)}."
    slow = request.param == "slow"
    bootstrap = cluster.slow_bootstrap if slow else cluster.bootstrap
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    counts = dict.fromkeys((INPUT, *TOPICS), PARTITIONS) | {CONTROL: 1}
    configs = {"message.timestamp.after.max.ms": str(2**63 - 1), "retention.ms": "-1"}
    admin.create_topics(
        {
            prefix + name: {
                "num_partitions": count, "replication_factor": 1, "configs": configs
            }
            for name, count in counts.items()
        },
        wait_for_metadata=True,
    )  # fmt: skip
    admin.close()
    made = KafkaLog(KafkaSettings(bootstrap=bootstrap, **TIMES))
    yield RenamedLog(made, prefix)
    made.close()


def settings() -> Settings:
    """Of the workers in this process; how they reach the broker is their log's."""
    return Settings(format="native", batch_records=40)


def send(log: RenamedLog, part: slice) -> None:
    """Appends a part of the composed day to the input."""
    producer = log.producer()
    producer.send(small_day()[part])
    producer.close()


def check(log: RenamedLog, workers: list[ThreadedWorker]) -> None:
    """Waits until all is handled; the outputs are those of an undisturbed run, each alert once."""
    count = len(small_day())
    want = ends(log, INPUT)
    assert sum(want.values()) == count

    def stand() -> dict[int, int]:
        shards = [(n, s.next_offset) for w in workers for n, s in [*w.worker._shards.items()]]
        return {at.partition: offset for at, offset in shards}

    def done() -> bool:
        for one in workers:
            if one.error is not None:
                raise one.error
        return stand() == want

    until(done, f"all of {want} handled")
    for one in workers:
        one.stop()
    _, wanted = directly(new_log(small_day()))
    found = told(log)
    for topic in TOPICS:
        assert found[topic] == wanted[topic], topic
    alerts = Counter(value for part in found[ALERTS].values() for _, value in part)
    assert set(alerts.values()) == {1}


@pytest.mark.parametrize("log", ["direct"], indirect=True)
@pytest.mark.parametrize("trouble", ["killed", "frozen"])
def test_a_broker_that_goes_away_midway(
    cluster: KafkaCluster, log: RenamedLog, workers: list[ThreadedWorker], trouble: str
) -> None:
    """Under load the broker is killed, or freezes for longer than the session and the transactions
    last. The workers wait, the gauge tells it, and once it is back nothing is lost or doubled."""
    third = len(small_day()) // 3
    send(log, slice(0, third))
    workers += [ThreadedWorker(log, settings(), name) for name in ("a", "b")]
    until(lambda: sum(w.metric("records_total") for w in workers) > 50, "some records handled")
    send(log, slice(third, 2 * third))
    if trouble == "killed":
        cluster.kill(0)
        until(lambda: all(w.metric("log_connected") == 0.0 for w in workers), "workers notice")
        cluster.restart(0)
    else:
        cluster.freeze(0)
        until(lambda: any(w.metric("log_connected") == 0.0 for w in workers), "a worker notices")
        cluster.thaw(0)
    cluster.await_ready()
    assert all(w.alive for w in workers)
    send(log, slice(2 * third, None))
    check(log, workers)
    assert all(w.metric("log_connected") == 1.0 for w in workers)
    rejoins = sum(
        sample.value
        for w in workers
        for family in w.registry.collect()
        for sample in family.samples
        if sample.name == "stillwatch_rejoins_total"
    )
    assert rejoins >= 1


@pytest.mark.parametrize("log", ["slow"], indirect=True)
def test_a_slow_broker_costs_time_and_nothing_else(
    cluster: KafkaCluster, log: RenamedLog, workers: list[ThreadedWorker]
) -> None:
    """Each answer a fifth of a second late: no worker starts over, and nothing is lost or doubled.
    Then the connection swallows everything for longer than the session: as when it was away."""
    half = len(small_day()) // 2
    send(log, slice(0, half))
    worker = ThreadedWorker(log, settings(), "a")
    workers.append(worker)
    until(lambda: worker.metric("records_total") > 40, "some records handled")
    (proxy,) = cluster.proxies
    proxy.delay_s = 0.1  # each way
    began = worker.metric("records_total")
    until(lambda: worker.metric("records_total") > min(began + 200, half - 1), "slow ones handled")
    for reason in ("Evicted", "Unreachable", "StuckPartitions", "LogError"):
        assert worker.metric("rejoins_total", reason=reason) == 0.0
    proxy.delay_s = 0.0
    proxy.swallow = True
    until(lambda: worker.metric("log_connected") == 0.0, "the worker notices")
    proxy.swallow = False
    send(log, slice(half, None))
    check(log, workers)


def herd_for(cluster: KafkaCluster, folder: Path, **changes: str) -> tuple[Herd, dict[str, str]]:
    """Processes with topics and a group of their own."""
    own = f"own{next(_numbers)}"
    environment = {
        **os.environ,
        **{f"STILLWATCH_KAFKA__{name.upper()}": str(value) for name, value in TIMES.items()},
        "STILLWATCH_KAFKA__BOOTSTRAP": cluster.bootstrap,
        "STILLWATCH_FORMAT": "native",
        "STILLWATCH_INPUT_TOPIC": f"requests-{own}",
        "STILLWATCH_GROUP": own,
        "STILLWATCH_BATCH_RECORDS": "40",
        "OMP_NUM_THREADS": "1",
        **changes,
    }
    return Herd(environment, folder), environment


def make_topics(cluster: KafkaCluster, environment: dict[str, str]) -> None:
    """The topics of these processes."""
    create_topics(
        KafkaSettings(bootstrap=cluster.bootstrap),
        topic_specs(environment["STILLWATCH_INPUT_TOPIC"]),
        partitions=2,
        replication=1,
    )


def says(member: Member, words: str, limit_s: float = LIMIT_S) -> None:
    """Waits until a process has said something."""
    until(
        lambda: words in member.log.read_text() or not member.alive,
        f"{member.name} says {words!r}",
        limit_s,
    )
    said = member.log.read_text()
    assert words in said, said
    assert "Traceback" not in said, said


def test_a_broker_that_is_not_there_at_start(cluster: KafkaCluster, tmp_path: Path) -> None:
    """For start_limit_s the worker tries again and says why; then it ends with exit 2 and one
    sentence that names the address and both remedies. SIGTERM while it waits is a clean end."""
    (port,) = free_ports(1)
    herd, _ = herd_for(
        cluster,
        tmp_path,
        STILLWATCH_KAFKA__BOOTSTRAP=f"127.0.0.1:{port}",
        STILLWATCH_KAFKA__START_LIMIT_S="3",
    )
    began_s = time.monotonic()
    patient = herd.start("patient", STILLWATCH_KAFKA__START_LIMIT_S="600")
    brief = herd.start("brief")
    wait_until_ended([brief], LIMIT_S)
    assert time.monotonic() - began_s >= 2.0
    assert brief.process.exitcode == 2
    said = brief.log.read_text()
    assert "trying again in" in said
    last = said.strip().splitlines()[-1]
    assert last.startswith("stillwatch: ")
    assert f"Kafka at 127.0.0.1:{port} does not answer" in last
    assert "start the broker, or correct the setting kafka.bootstrap" in last
    assert "Traceback" not in said
    says(patient, "trying again in")
    patient.signal(signal.SIGTERM)
    wait_until_ended([patient], LIMIT_S)
    assert patient.process.exitcode == 0
    says(patient, "worker stopped")


def test_a_broker_that_comes_after_the_worker(cluster: KafkaCluster, tmp_path: Path) -> None:
    """The worker starts first, as in a cluster that boots: it waits, then works."""
    herd, environment = herd_for(cluster, tmp_path)
    make_topics(cluster, environment)
    cluster.kill(0)
    early = herd.start("early")
    says(early, "trying again in")
    cluster.restart(0)
    cluster.await_ready()
    says(early, "worker started")
    early.signal(signal.SIGTERM)
    wait_until_ended([early], LIMIT_S)
    assert early.process.exitcode == 0


def partitions_of(cluster: KafkaCluster, group: str) -> dict[str, int]:
    """How many partitions each client of a group has."""
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    try:
        members = admin.describe_groups([group])[group]["members"]
    finally:
        admin.close()
    return {
        one["client_id"]: sum(
            len(part["partitions"])
            for part in (one["member_assignment"] or {}).get("assigned_partitions", ())
        )
        for one in members
    }


def test_a_frozen_worker_is_thrown_out_says_so_and_comes_back(
    cluster: KafkaCluster, tmp_path: Path
) -> None:
    """SIGSTOP past the session: the other worker gets its partitions. Thawed, it says that it was
    thrown out and why, joins anew, and both share the work again; SIGTERM ends both with exit 0."""
    herd, environment = herd_for(cluster, tmp_path)
    make_topics(cluster, environment)
    group = environment["STILLWATCH_GROUP"]
    both = [herd.start("frozen"), herd.start("heir")]
    until(lambda: partitions_of(cluster, group) == {"frozen": 1, "heir": 1}, "they share")
    both[0].signal(signal.SIGSTOP)
    until(lambda: partitions_of(cluster, group) == {"heir": 2}, "the heir has all")
    both[0].signal(signal.SIGCONT)
    says(both[0], "threw this member out")
    says(both[0], "joining anew in")
    until(lambda: partitions_of(cluster, group) == {"frozen": 1, "heir": 1}, "they share again")
    for one in both:
        one.signal(signal.SIGTERM)
    wait_until_ended(both, LIMIT_S)
    assert [one.process.exitcode for one in both] == [0, 0]


@pytest.mark.parametrize("static", ["false", "true"])
def test_a_worker_whose_name_was_taken_stops_and_says_so(
    cluster: KafkaCluster, tmp_path: Path, static: str
) -> None:
    """A second worker of the same name takes over, as when a frozen one was replaced: the first
    ends with exit 4 and a sentence that says why and that nothing is lost; the second goes on."""
    herd, environment = herd_for(cluster, tmp_path, STILLWATCH_KAFKA__STATIC_MEMBERS=static)
    make_topics(cluster, environment)
    group = environment["STILLWATCH_GROUP"]
    first = herd.start("twin")
    until(lambda: partitions_of(cluster, group) == {"twin": 2}, "the first has all")
    first.signal(signal.SIGSTOP)
    second = herd.start("twin")
    says(second, "worker started")
    until(lambda: partitions_of(cluster, group) == {"twin": 2}, "the second has all")
    first.signal(signal.SIGCONT)
    log = KafkaLog(KafkaSettings(bootstrap=cluster.bootstrap))
    producer = log.producer()
    topic = environment["STILLWATCH_INPUT_TOPIC"]
    producer.send(replace(record, topic=topic) for record in small_day()[:500])
    producer.close()
    says(first, "stopped, nothing is lost")
    wait_until_ended([first], LIMIT_S)
    assert first.process.exitcode == 4
    last = first.log.read_text().strip().splitlines()[-1]
    assert "another took over the name" in last
    assert second.alive
    second.signal(signal.SIGTERM)
    wait_until_ended([second], LIMIT_S)
    assert second.process.exitcode == 0
    log.close()
