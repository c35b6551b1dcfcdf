"""Rekeying on a real broker: killed between send and commit, shared by members that come and go,
and as the process that operators start."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from detector.output_records import DEAD_LETTERS
from detector.rekey_role import RekeyRole
from streams.kafka_log import KafkaLog
from streams.kafka_producer import KafkaLogProducer
from streams.kafka_settings import KafkaSettings
from streams.log import Log, OutputRecord, TopicPartition
from tests.detector.rekey_rig import (
    SOURCE,
    TARGET,
    exports,
    n_refused,
    new_role,
    refused,
    wanted,
    written,
)
from tests.detector.renamed_log import RenamedLog
from tests.detector.worker_rig import ends
from tests.services.kafka import KafkaBroker
from tests.streams.kafka_backend import KafkaBackend

N = 150
LIMIT_S = 60.0
QUICK = {"heartbeat_s": 0.1, "session_timeout_s": 2.0, "transaction_timeout_s": 3.0}
"""A member that was killed is given up, and its transaction too, within seconds."""
AFTER_SEND, AFTER_OFFSETS = 2, 3
"""Which end of a step of the transaction the process does not live to see."""


@pytest.fixture
def kafka_log(kafka_broker: KafkaBroker) -> Iterator[RenamedLog]:
    """Topics with names of this test's own."""
    backend = KafkaBackend(kafka_broker.bootstrap, **QUICK)
    prefix = backend.name("rekey") + "."
    topics = {
        prefix + name: {"num_partitions": count, "replication_factor": 1}
        for name, count in ((SOURCE, 3), (TARGET, 4), (DEAD_LETTERS, 4))
    }
    backend.admin.create_topics(topics, wait_for_metadata=True)
    yield RenamedLog(backend.log, prefix)
    backend.close()


def send(log: Log, records: Sequence[OutputRecord]) -> None:
    """Writes to the source."""
    producer = log.producer()
    producer.send(records)
    producer.close()


def drain(*roles: RekeyRole, log: Log) -> None:
    """Turns the roles until together they have committed all of the source, and readers see it.

    A broker answers a commit before its markers stand in every partition.
    """
    want = {TopicPartition(SOURCE, number): end for number, end in ends(log, SOURCE).items()}
    give_up_s = time.monotonic() + LIMIT_S
    while {
        at: end for role in roles for at, end in role._member.consumer.committed().items()
    } != want:
        for role in roles:
            role.turn()
        assert time.monotonic() < give_up_s
    while set(written(log)) != set(wanted(N)) or len(refused(log)) < n_refused(N):
        assert time.monotonic() < give_up_s


def killed_in_its_second_transaction(bootstrap: str, prefix: str, step: int) -> None:
    """What the process does that is killed: it sends, and dies before the log heard of `step`."""
    end = KafkaLogProducer._end
    seen = 0

    def dying(self: KafkaLogProducer, result: Any, client: Any, doing: str) -> None:
        nonlocal seen
        seen += 1
        if seen == 1 + 2 + 2 + step - 1:  # starting, settling, offsets and commit of the first
            os.kill(os.getpid(), signal.SIGKILL)
        end(self, result, client, doing)

    KafkaLogProducer._end = dying  # type: ignore[method-assign]
    settings = KafkaSettings.model_validate({"bootstrap": bootstrap, **QUICK})
    role = new_role(RenamedLog(KafkaLog(settings), prefix), size=40, member="victim")
    while True:
        role.turn()


@pytest.mark.parametrize("step", [AFTER_SEND, AFTER_OFFSETS])
@pytest.mark.parametrize("successor", ["victim", "another"])
def test_killed_between_send_and_commit(
    kafka_broker: KafkaBroker, kafka_log: RenamedLog, step: int, successor: str
) -> None:
    """SIGKILL with records sent, or offsets too, and nothing committed. One of its name, or another
    member, takes over: each record is written once to readers of committed records, each dead
    letter too."""
    send(kafka_log, exports(N))
    context = multiprocessing.get_context("spawn")
    process = context.Process(
        target=killed_in_its_second_transaction,
        args=(kafka_broker.bootstrap, kafka_log._names.prefix, step),
    )
    process.start()
    process.join(LIMIT_S)
    assert process.exitcode == -signal.SIGKILL
    before = written(kafka_log)
    assert 0 < len(before) < len(wanted(N))
    role = new_role(kafka_log, size=40, member=successor)
    drain(role, log=kafka_log)
    role.close()
    assert written(kafka_log) == wanted(N)
    assert len(set(refused(kafka_log))) == len(refused(kafka_log)) == n_refused(N)


def test_members_share_and_take_over(kafka_log: RenamedLog) -> None:
    """Two members that turn in turn; one joins while the other works, the other leaves before the
    end: with every rebalance in between, each record is written once, with its time."""
    send(kafka_log, exports(N)[:60])
    first = new_role(kafka_log, size=7, member="first")
    give_up_s = time.monotonic() + LIMIT_S
    while not first.turn():
        assert time.monotonic() < give_up_s
    second = new_role(kafka_log, size=7, member="second")
    while not second._member.consumer.assignment():
        first.turn()
        second.turn()
        assert time.monotonic() < give_up_s
    send(kafka_log, exports(N)[60:])
    while not second.turn():
        first.turn()
        assert time.monotonic() < give_up_s
    first.close()
    drain(second, log=kafka_log)
    second.close()
    assert written(kafka_log) == wanted(N)
    assert len(set(refused(kafka_log))) == len(refused(kafka_log)) == n_refused(N)


def test_a_rekey_process(kafka_broker: KafkaBroker) -> None:
    """`topics create` makes the topic to rekey, `stillwatch rekey` handles what is in it, serves
    its metrics, and SIGTERM ends it with exit 0 and without a traceback."""
    backend = KafkaBackend(kafka_broker.bootstrap)
    source, target = backend.name("spans"), backend.name("requests")
    environment = {
        **os.environ,
        "STILLWATCH_KAFKA": kafka_broker.bootstrap,
        "STILLWATCH_INPUT_TOPIC": target,
        "STILLWATCH_REKEY_FROM": source,
        "STILLWATCH_GROUP": backend.name("group"),
    }
    command = [sys.executable, "-c", "from detector.cli.main import app; app()"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments],
            env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip

    refused_start = run("rekey")
    assert refused_start.returncode == 2
    assert "stillwatch topics create" in refused_start.stderr
    made = run("topics", "create", "--partitions", "2", "--replication", "1")
    assert made.returncode == 0, made.stderr
    send(backend.log, exports(40, source))
    process = subprocess.Popen(
        [*command, "rekey"], env=environment, stderr=subprocess.PIPE, text=True
    )
    want = {number: [part[:2] for part in parts] for number, parts in wanted(40).items()}
    wait_until(
        lambda: sum(ends(backend.log, target).values()) >= sum(map(len, want.values())),
        process,
    )
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == 0, told
    assert "rekeying stopped" in told
    assert "Traceback" not in told
    found = written(backend.log, target)
    assert {number: [part[:2] for part in parts] for number, parts in found.items()} == want
    # Times are the source's, which are the broker's there.
    times = {r[2] for parts in found.values() for r in parts}
    assert min(times) > 1_700_000_000.0
    backend.close()


def wait_until(done: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Returns once `done` while the process lives."""
    give_up_s = time.monotonic() + LIMIT_S
    while not done():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < give_up_s
        time.sleep(0.05)
