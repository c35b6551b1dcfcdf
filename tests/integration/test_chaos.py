"""Exactly once, whatever dies: workers, brokers and their clocks' patience, under load.

The seed is printed; CHAOS_SEED repeats a plan (not its timing), CHAOS_KILLS sets its size. `make
chaos` runs it with 200 kills and shows the table of what was done and found.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random, SystemRandom

import pytest
from kafka import KafkaAdminClient
from prometheus_client import CollectorRegistry

from detector.cli.worker import make_worker
from detector.metrics import WorkerMetrics
from detector.output_records import ALERTS, DEAD_LETTERS, SCORES, VERDICTS
from detector.partition import PartitionSettings
from detector.settings import Settings, load_settings
from streams.kafka_log import KafkaLog
from streams.kafka_topics import create_topics
from streams.log import OutputRecord
from streams.topics import TopicSpec, topic_specs
from tests.detector.runs import released
from tests.detector.worker_rig import INPUT, directly, ends, read_all, small_day, states, told
from tests.integration.chaos_report import ChaosReport
from tests.integration.chaos_run import ChaosRun, Plan
from tests.integration.worker_herd import Herd, wait_until_ended
from tests.services.kafka_cluster import KafkaCluster, folder_for

PARTITIONS = 6
KILLS = int(os.environ.get("CHAOS_KILLS", "50"))
LIMIT_S = 180.0
TIMES = {
    "STILLWATCH_KAFKA__SESSION_TIMEOUT_S": "6",
    "STILLWATCH_KAFKA__HEARTBEAT_S": "0.5",
    "STILLWATCH_KAFKA__TRANSACTION_TIMEOUT_S": "8",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Three brokers for this file."""
    made = KafkaCluster(folder_for(tmp_path_factory.mktemp("cluster")), os.getpid())
    yield made
    made.close()


def settings_for(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a worker with this environment has."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def traffic(seed: int) -> list[OutputRecord]:
    """A composed day; one record in fifty cannot be read, one in fifty stands there twice."""
    random = Random(seed)  # noqa: S311 - it has to repeat
    out: list[OutputRecord] = []
    for record in small_day():
        out.append(record)
        luck = random.random()
        if luck < 0.02:
            out.append(record)
        elif luck < 0.04:
            out.append(OutputRecord(INPUT, record.key, b'{"broken": %d' % len(out), 0.0))
    return out


@pytest.mark.kafka
@pytest.mark.slow
def test_whatever_dies_nothing_is_lost_and_nothing_doubled(
    cluster: KafkaCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers are killed, frozen past their session and sent home, brokers are killed, all under
    load. Afterwards every record that was sent is in the input, the committed offsets stand at its
    end, the outputs are those of an undisturbed run, record for record and in order, each alert
    stands there once, and the state is the undisturbed run's, byte for byte."""
    seed = int(os.environ.get("CHAOS_SEED", "0")) or SystemRandom().randrange(1, 10**6)
    snapshots = snapshot_settings(tmp_path)
    plan = Plan(
        seed,
        KILLS,
        max(3, KILLS // 15),
        max(2, KILLS // 15),
        snapshots=tmp_path / "snapshots" if snapshots else None,
    )
    print(f"CHAOS_SEED={seed} {plan}")
    environment = {
        **os.environ,
        **TIMES,
        **snapshots,
        "STILLWATCH_KAFKA__BOOTSTRAP": cluster.bootstrap,
        "STILLWATCH_FORMAT": "native",
        "STILLWATCH_BATCH_RECORDS": "40",
        "OMP_NUM_THREADS": "1",
    }
    settings = settings_for(environment, monkeypatch)
    create_topics(settings.kafka, kept(topic_specs(INPUT)), partitions=PARTITIONS, replication=3)
    log = KafkaLog(settings.kafka)
    records = traffic(seed)
    report = ChaosReport(
        f"Chaos run, seed {seed}: {len(records):,} records, {PARTITIONS} partitions"
    )
    began_s = time.monotonic()
    run = ChaosRun(plan, cluster, Herd(environment, tmp_path), log, records)
    try:
        run.run()
        chaos_s = time.monotonic() - began_s
        await_commits(log, settings)
    finally:
        for member in run.members:
            member.process.terminate()
    wait_until_ended(run.members, 60.0)
    end_s = time.monotonic() - began_s
    assert {member.process.exitcode for member in run.members} == {0}
    run.last_words()
    for name, figure in vars(run.told).items():
        report.done(name.replace("_", " "), f"{figure:,}")
    report.done("under chaos, seconds", f"{chaos_s:.0f}")
    report.done("until all was handled, seconds", f"{end_s:.0f}")
    compare(report, log, settings, records)
    report.show()
    log.close()
    assert not report.failed


def compare(
    report: ChaosReport, log: KafkaLog, settings: Settings, records: Sequence[OutputRecord]
) -> None:
    """Input, outputs and state against those of an undisturbed run."""
    sent, there = {r.value for r in records}, {r.value for r in read_all(log, INPUT)}
    report.found("records that were sent and are not in the input", len(sent - there),
                 holds=there == sent)  # fmt: skip
    want = ends(log, INPUT)
    stand = committed(settings)
    complete = sum(stand.get(number) == end for number, end in want.items())
    report.found("partitions committed to their end", f"{complete} of {PARTITIONS}",
                 holds=stand == want)  # fmt: skip
    state, wanted = directly(
        log,
        settings=PartitionSettings(intake=settings.intake, lateness_s=settings.lateness_s),
        partitions=PARTITIONS,
    )
    found = told(log)
    for topic in (VERDICTS, ALERTS, SCORES):
        report.found(
            f"{topic}: the undisturbed run's, in order",
            f"{len(everything(found[topic])):,} of {len(everything(wanted[topic])):,}",
            holds=found[topic] == wanted[topic] and len(everything(wanted[topic])) > 5,
        )
    letters, due = everything(found[DEAD_LETTERS]), everything(wanted[DEAD_LETTERS])
    report.found(f"{DEAD_LETTERS}: the undisturbed run's", f"{len(letters):,} of {len(due):,}",
                 holds=letters == due and len(due) > 5)  # fmt: skip
    alerts = Counter(value for part in found[ALERTS].values() for _, value in part)
    doubled = sum(number > 1 for number in alerts.values())
    report.found("alerts that stand there twice", doubled, holds=doubled == 0)
    last = make_worker(
        log, settings, released(), WorkerMetrics(CollectorRegistry()), threading.Event(), "last"
    )
    give_up_s = time.monotonic() + LIMIT_S
    while {n: s.next_offset for n, s in last.shards.items()} != want:
        last.turn()
        assert time.monotonic() < give_up_s
    rebuilt = states(last)
    same = sum(rebuilt[number] == state[number] for number in state)
    report.found("partitions whose state is the undisturbed run's, byte for byte",
                 f"{same} of {PARTITIONS}", holds=rebuilt == state)  # fmt: skip
    last.close()


def snapshot_settings(folder: Path) -> dict[str, str]:
    """Environment that has the workers keep snapshots; empty while they cannot."""
    if "snapshots" not in Settings.model_fields:
        return {}
    return {
        "STILLWATCH_SNAPSHOTS": str(folder / "snapshots"),
        # Often enough for several in a worker's short life.
        "STILLWATCH_SNAPSHOT_EVERY_S": "1",
        "STILLWATCH_SNAPSHOT_FULL_EVERY_S": "10",
    }


def kept(specs: Sequence[TopicSpec]) -> list[TopicSpec]:
    """The same topics with all records kept: the composed day is long past."""
    configs = {"cleanup.policy": "delete", "retention.ms": "-1"}
    return [replace(spec, configs={**spec.configs, **configs}) for spec in specs]


def everything(parts: Mapping[int, Sequence[tuple[bytes | None, bytes]]]) -> list[bytes]:
    """Values of all partitions. Dead letters of several input partitions share one of theirs."""
    return sorted(value for part in parts.values() for _, value in part)


def committed(settings: Settings) -> dict[int, int]:
    """The group's committed offset of each partition of the input."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap.split(","))
    try:
        found = admin.list_group_offsets(settings.group)[settings.group]
    finally:
        admin.close()
    return {tp.partition: at.offset for tp, at in found.items() if tp.topic == INPUT}


def await_commits(log: KafkaLog, settings: Settings) -> None:
    """Returns when the group has committed every partition's end."""
    want = ends(log, INPUT)
    give_up_s = time.monotonic() + LIMIT_S
    while (stand := committed(settings)) != want:
        assert time.monotonic() < give_up_s, f"committed {stand}, the ends are {want}"
        time.sleep(0.2)
