"""Switches by the real commands on real Kafka: in order, and again in every replay."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kafka
import msgspec
import pytest

from detector.levels import RANK, Level
from detector.output_records import ALERTS, VERDICTS
from detector.partition import PartitionSettings
from detector.pipeline import load_models
from detector.settings import packaged_models
from streams.intake import IntakeSettings
from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.log import OutputRecord
from tests.detector.worker_rig import new_worker, small_day
from tests.services.deployment import DEPLOY, LIMIT_S, Deployment, Running, deployment
from tests.services.plain_readers import read_committed

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PARTITIONS = 2
SWITCHES = 4
INTAKE = PartitionSettings(intake=IntakeSettings(hmac_key=b"tests"))

Verdict = tuple[Level, str, str]
"""Level, policy and model."""


def write(made: Deployment, records: Sequence[OutputRecord]) -> None:
    """Requests, keyed by account, at their times."""
    producer = kafka.KafkaProducer(bootstrap_servers=made.bootstrap)
    for record in records:
        producer.send(made.input_topic, record.value, record.key)
    producer.close()


def table(made: Deployment) -> dict[str, Verdict]:
    """The verdicts in force, as a reader of the compacted topic finds them."""
    found: dict[str, dict[str, Any]] = {}
    for record in read_committed(made.bootstrap, VERDICTS):
        key = record.key.decode()
        if record.value is None:
            found.pop(key, None)
        else:
            found[key] = msgspec.json.decode(record.value)["data"]
    return {
        key: (data["to_level"], data["versions"]["policy"], data["versions"]["model"])
        for key, data in found.items()
    }


def other_model(folder: Path) -> Path:
    """The released models under another version."""
    shutil.copytree(packaged_models(), folder)
    card = folder / "account.json"
    changed = msgspec.json.decode(card.read_bytes())
    card.write_bytes(msgspec.json.encode({**changed, "version": "another"}))
    return folder


def other_policy(file: Path) -> Path:
    """The deployment's policy, a little stricter, under another name."""
    text = (DEPLOY / "policy.toml").read_text("utf-8")
    for old, new in (
        ('version = "default-1"', 'version = "stricter"'),
        ("pieces = 5 ", "pieces = 6 "),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    file.write_text(text, "utf-8")
    return file


def applied(worker: Running) -> float:
    """Control records that the worker applied, a partition each."""
    return worker.metric("stillwatch_control_records_total", result="applied")


def test_switches_by_command_survive_a_kill(tmp_path: Path) -> None:
    """Policy, allow, undo and model by the commands in the middle of the traffic; the worker is
    killed with -9, its successor rebuilds and goes on, and is killed too. The undone and the
    allowed stay without a verdict though the same behaviour goes on, what is judged afterwards
    names the new policy and model, no alert stands twice, and one more replay from the log gives
    the very verdicts that the topic tells."""
    day = small_day()
    half = len(day) // 2
    with deployment(tmp_path, partitions=PARTITIONS, batch_records="200") as made:
        first = made.worker("one")
        write(made, day[:half])
        made.handled([first], half)
        before = table(made)
        accused = [
            key.rsplit("/", 1)[1]
            for key, (level, _, _) in sorted(before.items())
            if "/account/" in key and RANK[level] >= RANK["throttle"]
            and sum(r.key == key.rsplit("/", 1)[1].encode() for r in day[half:]) > 5
        ]  # fmt: skip
        assert len(accused) >= 3
        undone, allowed = accused[:2]
        models = other_model(tmp_path / "models")
        made.command("undo", undone, "--reason", "appeal granted", "--until", "900d")
        made.command("allow", allowed, "--reason", "own evaluation", "--until", "900d")
        made.command("policy", "apply", str(other_policy(tmp_path / "stricter.toml")))
        made.command("model", "apply", str(models), "--reason", "release")
        made.until(lambda: applied(first) >= SWITCHES * PARTITIONS, "the switches are applied")
        first.signal(signal.SIGKILL)
        first.ended()
        assert {f"default/account/{who}" for who in (undone, allowed)}.isdisjoint(table(made))

        second = made.worker("one")
        write(made, day[half:])
        made.until(lambda: sum(made.committed().values()) == len(day), "all is committed")
        second.signal(signal.SIGKILL)
        second.ended()
        after = table(made)
        assert {f"default/account/{who}" for who in (undone, allowed)}.isdisjoint(after)
        renewed = {key: row for key, row in after.items() if row != before.get(key)}
        assert len(renewed) > 3
        version = load_models(models).version
        assert {row[1].split("+")[0].split("-")[0] for row in renewed.values()} == {"stricter"}
        assert {row[2] for row in renewed.values()} == {version}
        ids = [msgspec.json.decode(r.value)["id"] for r in read_committed(made.bootstrap, ALERTS)]
        assert len(ids) == len(set(ids)) > 5
        assert rebuilt(made) == {key: level for key, (level, _, _) in after.items()}


def rebuilt(made: Deployment) -> dict[str, str]:
    """Levels in force by key, in the state that a worker of the group rebuilds from the log."""
    log = KafkaLog(KafkaSettings(bootstrap=made.bootstrap, heartbeat_s=0.2, session_timeout_s=10.0))
    worker = new_worker(
        log, member="one", settings=INTAKE, load=load_models, topic=made.input_topic,
        group=made.group,
    )  # fmt: skip
    try:

        def live() -> bool:
            assert worker.turn() == 0
            return len(worker.shards) == PARTITIONS

        made.until(live, "both partitions are rebuilt", LIMIT_S)
        return {
            f"{standing.tenant}/{standing.scope}/{standing.scope_id}": standing.level
            for shard in worker.shards.values()
            for standing in shard.partition.verdicts.dump()
            if standing.level != "allow"
        }
    finally:
        worker.close()
        log.close()
