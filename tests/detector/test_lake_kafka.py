"""The lake role on a real Kafka broker: killed and started again, and shared by two."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError
from prometheus_client import CollectorRegistry

from detector.lake_files import LakeError, LakeFiles
from detector.lake_query import LakeQuery
from detector.lake_ranges import writer_tag
from detector.lake_role import LakeRole, LakeRoleSettings
from detector.metrics import LakeMetrics
from detector.output_records import ALERTS, SCORES
from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.log import OutputRecord, UnknownTopic
from streams.record import ApiRequest
from tests.detector.builders import T0_S, ask
from tests.services.kafka import KafkaBroker

LIMIT_S = 60.0


@pytest.fixture
def log(kafka_broker: KafkaBroker) -> Iterator[KafkaLog]:
    """The broker's log; a member that dies is missed after two seconds."""
    made = KafkaLog(
        KafkaSettings(bootstrap=kafka_broker.bootstrap, session_timeout_s=2.0, heartbeat_s=0.2)
    )
    yield made
    made.close()


@pytest.fixture
def topic(log: KafkaLog) -> str:
    """A new input topic; the topics of outputs are there too.

    It has so many partitions that even shares over all three topics divide it.
    """
    name = f"requests-{os.getpid()}-{time.monotonic_ns()}"
    admin = KafkaAdminClient(bootstrap_servers=log.settings.bootstrap)
    for made in (SCORES, ALERTS):
        try:
            admin.create_topics([NewTopic(made, 3, 1)])
        except TopicAlreadyExistsError:
            continue
    wait_for(lambda: all(known(log, made) for made in (SCORES, ALERTS)), "making topics")
    count = log.partitions_for(SCORES) + log.partitions_for(ALERTS) + 4
    admin.create_topics([NewTopic(name, count, 1)])
    admin.close()
    wait_for(lambda: known(log, name), "making the topic")
    return name


def known(log: KafkaLog, topic: str) -> bool:
    """Whether the broker that is asked has heard of the topic."""
    try:
        return log.partitions_for(topic) > 0
    except UnknownTopic:
        return False


def requests_of(n: int, start: int = 0) -> list[ApiRequest]:
    """n requests, each with its own account and id."""
    return [
        ask(account=f"a{i}", event_id=f"e{i}", event_time_s=T0_S + i)
        for i in range(start, start + n)
    ]


def produce(log: KafkaLog, topic: str, requests: Sequence[ApiRequest]) -> None:
    """Appends requests, keyed by account."""
    producer = log.producer()
    producer.send(
        OutputRecord(topic, (r.account or "").encode(), msgspec.json.encode(r), T0_S)
        for r in requests
    )
    producer.close()


def event_ids(lake: Path) -> Counter[str]:
    """How often each id is in the table facts; nothing before there is a store."""
    try:
        return Counter(row[0] for row in LakeQuery(lake).ask("SELECT event_id FROM facts").rows)
    except LakeError:  # none yet, or a file was removed between listing and reading
        return Counter()


def wait_for(happened: Callable[[], bool], what: str) -> None:
    """Returns when it happened; fails after a while."""
    deadline_s = time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < deadline_s, f"{what} did not happen"
        time.sleep(0.05)


@contextmanager
def lake_process(
    log: KafkaLog, topic: str, lake: Path, name: str
) -> Iterator[subprocess.Popen[str]]:
    """`stillwatch lake` that writes often; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "STILLWATCH_KAFKA__BOOTSTRAP": log.settings.bootstrap,
        "STILLWATCH_KAFKA__SESSION_TIMEOUT_S": "2",
        "STILLWATCH_KAFKA__HEARTBEAT_S": "0.2",
        "STILLWATCH_INPUT_TOPIC": topic,
        "STILLWATCH_GROUP": topic,
    }
    environment.pop("STILLWATCH_KAFKA", None)
    command = [sys.executable, "-c", "from detector.cli.main import app; app()", "lake"]
    command += ["--lake", str(lake), "--member", name, "--flush-rows", "20", "--flush-s", "0.2"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_killed_and_started_again_each_request_is_there_once(
    log: KafkaLog, topic: str, tmp_path: Path
) -> None:
    """The command is killed with -9 while it writes; the next one leaves each record once."""
    total = 0
    with lake_process(log, topic, tmp_path, "one") as process:
        while len(list(tmp_path.rglob("*.parquet"))) < 20:
            produce(log, topic, requests_of(50, total))
            total += 50
            assert process.poll() is None
            assert total < 20_000
            time.sleep(0.05)
        process.kill()
        process.wait()
    produce(log, topic, requests_of(100, total))
    total += 100
    with lake_process(log, topic, tmp_path, "two") as process:
        wait_for(lambda: len(event_ids(tmp_path)) == total, "reading to the end")
        process.terminate()
        _, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, told
    assert "revisions of alerts" in told
    found = event_ids(tmp_path)
    assert found == Counter(f"e{i}" for i in range(total))
    # The one that was killed may leave the file that it was writing; no reader takes it for one.
    assert all(writer_tag("one") in path.name for path in tmp_path.rglob("*.partial"))


def test_two_members_share_the_partitions(log: KafkaLog, topic: str, tmp_path: Path) -> None:
    """What the first held of a partition that moves is written before the second reads on."""
    first, second = (
        LakeRole(
            log,
            LakeFiles(tmp_path),
            LakeRoleSettings(group=topic, input_topic=topic),
            LakeMetrics(CollectorRegistry()),
            member_id=name,
            monotonic_s=lambda: 0.0,
        )
        for name in ("first", "second")
    )
    stop = threading.Event()

    def run(role: LakeRole) -> None:
        while not stop.is_set():
            role.step(1.0)
        role.flush()

    with closing(first), closing(second), ThreadPoolExecutor(2) as threads:
        produce(log, topic, requests_of(200))
        running = [threads.submit(run, first)]
        try:
            wait_for(lambda: first.counts["facts"] == 200, "the first reading all")
            assert not list(tmp_path.rglob("*.parquet"))
            running.append(threads.submit(run, second))
            wait_for(lambda: first.counts["flushes"] > 0, "handing over")
            produce(log, topic, requests_of(200, 200))
            wait_for(lambda: first.counts["facts"] + second.counts["facts"] == 400, "reading all")
        finally:
            stop.set()
        for one in running:
            one.result()
    assert second.counts["facts"]
    assert event_ids(tmp_path) == Counter(f"e{i}" for i in range(400))
