"""`stillwatch worker` as a process on a real broker: starts, handles, stops when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from detector.output_records import SCORES
from streams.log import OutputRecord
from tests.detector.builders import ask
from tests.detector.tiny_models import write_tiny_models
from tests.detector.worker_rig import read_all
from tests.services.kafka import KafkaBroker
from tests.streams.kafka_backend import KafkaBackend

LIMIT_S = 60.0


def stillwatch(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [sys.executable, "-c", "from detector.cli.main import app; app()", *arguments],
        env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


def test_a_worker_process(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Without its topic the worker says in one sentence how to make it. With it, it handles what
    comes, takes a switch from the command line, and SIGTERM ends it with exit 0 and no traceback;
    what it committed is not handled again."""
    backend = KafkaBackend(kafka_broker.bootstrap)
    topic, group = backend.name("requests"), backend.name("group")
    environment = {
        **os.environ,
        "STILLWATCH_KAFKA": kafka_broker.bootstrap,
        "STILLWATCH_INPUT_TOPIC": topic,
        "STILLWATCH_GROUP": group,
        "STILLWATCH_MODEL_DIR": str(write_tiny_models(tmp_path)),
    }
    refused = stillwatch(environment, "worker")
    assert refused.returncode == 2
    assert "stillwatch topics create" in refused.stderr
    assert "Traceback" not in refused.stderr
    created = stillwatch(environment, "topics", "create", "--partitions", "4", "--replication", "1")
    assert created.returncode == 0, created.stderr
    account = f"account-{topic}"
    now_s = time.time()  # noqa: TID251 - a real broker lives in real time
    producer = backend.log.producer()
    for run in range(2):
        worker = subprocess.Popen(
            [sys.executable, "-c", "from detector.cli.main import app; app()", "worker"],
            env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        producer.send(
            OutputRecord(
                topic,
                account.encode(),
                msgspec.json.encode(
                    ask(f"{run} {i}", account=account, event_id=f"{run}-{i}", event_time_s=now_s)
                ),
                now_s,
            )
            for i in range(10)
        )
        allowed = stillwatch(
            environment, "allow", account, "--reason", "test", "--until", "1h", "--by", "tests"
        )
        assert allowed.returncode == 0, allowed.stderr
        give_up_s = time.monotonic() + LIMIT_S
        while scored(backend, account) < 10 * (run + 1):
            assert time.monotonic() < give_up_s
            assert worker.poll() is None, worker.communicate()[1]
        worker.send_signal(signal.SIGTERM)
        told = worker.communicate(timeout=LIMIT_S)[1]
        assert worker.returncode == 0, told
        assert "worker stopped" in told
        assert "Traceback" not in told
    assert scored(backend, account) == 20
    backend.close()


def scored(backend: KafkaBackend, account: str) -> int:
    """The largest count of requests that a scoring of the account names."""
    counts = [
        msgspec.json.decode(record.value)["data"]["requests"]
        for record in read_all(backend.log, SCORES)
        if record.key == account.encode()
    ]
    return max(counts, default=0)
