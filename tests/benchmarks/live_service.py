"""Worker and API as processes of their own, as an operator starts them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import kafka
from kafka.structs import TopicPartition as KafkaPartition

from detector.cli.keys import entry_text
from detector.key_ring import new_key
from tests.benchmarks.cores import on, others, ours
from tests.benchmarks.kafka_day import PARTITIONS, KafkaDay

GROUP = "live"
_COMMAND = [sys.executable, "-c", "from detector.cli.main import app; app()"]


@dataclass(frozen=True, slots=True)
class LiveService:
    """A running worker and a running API. `key` is a gateway's."""

    port: int
    key: str


@contextmanager
def live_service(broker: KafkaDay, topic: str, folder: Path) -> Iterator[LiveService]:
    """The worker on our core, the API on the others, where the broker is."""
    key, entry = new_key("gateway", "default", id_bits=bytes(6), secret_bits="1" * 32)
    keys = folder / "keys.toml"
    keys.write_text(entry_text(entry))
    environment = {
        **os.environ,
        "STILLWATCH_KAFKA": broker.bootstrap,
        "STILLWATCH_INPUT_TOPIC": topic,
        "STILLWATCH_GROUP": GROUP,
        "STILLWATCH_KEYS": str(keys),
        "STILLWATCH_DATABASE": f"sqlite:///{folder / 'alerts.db'}",
        "STILLWATCH_PORT": "0",
    }
    with ExitStack() as stack:
        with on(ours()):
            worker = subprocess.Popen([*_COMMAND, "worker"], env=environment)
        stack.callback(_stop, worker)
        with on(others()):
            api = subprocess.Popen(
                [*_COMMAND, "api"], env=environment, stdout=subprocess.PIPE, text=True
            )
        stack.callback(_stop, api)
        told = api.stdout.readline() if api.stdout is not None else ""
        found = re.search(r"http://[^:]+:(\d+)", told)
        if found is None:
            raise RuntimeError(f"the API did not start: {told}")
        yield LiveService(int(found[1]), key)


def await_worker(broker: KafkaDay, topic: str) -> None:
    """Waits until the worker has committed all that is on its topic."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=[broker.bootstrap], group_id=GROUP, enable_auto_commit=False
    )
    try:
        partitions = [KafkaPartition(topic, number) for number in range(PARTITIONS)]
        ends = consumer.end_offsets(partitions)
        while any((consumer.committed(at) or 0) < ends[at] for at in partitions):
            pass
    finally:
        consumer.close()


def _stop(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(30.0)
