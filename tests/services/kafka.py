"""One Apache Kafka broker (KRaft) for the whole test run, shared by every test process.

The first test that needs it starts it; the process that started the run stops it at the end (see
tests/conftest.py). Its jars come from `make kafka`. With STILLWATCH_KAFKA=host:port a running
broker is used instead, and left running.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock

from tests.services.guarded import start_guarded
from tests.services.required import unavailable

EXTERNAL_VARIABLE = "STILLWATCH_KAFKA"
LIBS = Path(__file__).parents[2] / "build" / "kafka" / "libs"

_START_LIMIT_S = 90.0
_JAVA = ("java", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{LIBS}/*")


@dataclass(frozen=True)
class KafkaBroker:
    """A running broker. `bootstrap` is its "host:port"."""

    bootstrap: str


def shared_broker(folder: Path, owner_pid: int) -> KafkaBroker:
    """The run's broker; started when none runs yet.

    `folder` is the run's own, the same in all its processes; `owner_pid` the process that started
    the run. Skips the test (fails it, where services are required) when there can be none.
    """
    external = os.environ.get(EXTERNAL_VARIABLE)
    if external:
        return KafkaBroker(external)
    if shutil.which("java") is None:
        unavailable("Kafka", f"install Java 17, or set {EXTERNAL_VARIABLE}=host:port")
    if not any(LIBS.glob("kafka_*.jar")):
        unavailable("Kafka", f"run `make kafka`, or set {EXTERNAL_VARIABLE}=host:port")
    with FileLock(folder / "kafka.lock"):
        address = folder / "kafka.address"
        if not address.exists():
            port = _start(folder, owner_pid)
            address.write_text(f"127.0.0.1:{port}")
        return KafkaBroker(address.read_text())


def stop_shared_broker(folder: Path) -> None:
    """Stops the run's broker, if one was started; returns when it is gone."""
    record = folder / "kafka.pid"
    if not record.exists():
        return
    try:
        guard = psutil.Process(int(record.read_text()))
        processes = [guard, *guard.children(recursive=True)]
        guard.send_signal(signal.SIGTERM)
    except psutil.NoSuchProcess:
        return
    psutil.wait_procs(processes, timeout=5.0)


def _start(folder: Path, owner_pid: int) -> int:
    """Formats a log folder and starts a broker on it; returns its port when it serves."""
    port, controller_port = free_ports(2)
    settings = folder / "kafka.properties"
    settings.write_text(_properties(folder / "kafka-data", port, controller_port))
    log = folder / "kafka.log"
    # Any 16 bytes in URL-safe base64 name a cluster.
    format_command = [*_JAVA, "kafka.tools.StorageTool", "format", "-t", "c3RpbGx3YXRjaC10ZXN0cw"]
    formatted = subprocess.run(
        [*format_command, "-c", str(settings)], capture_output=True, text=True, check=False
    )
    if formatted.returncode:
        raise RuntimeError(f"Kafka's storage tool failed:\n{formatted.stdout}{formatted.stderr}")
    level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    pid = start_guarded(
        [_JAVA[0], level, *_JAVA[1:], "kafka.Kafka", str(settings)], owner_pid=owner_pid, log=log
    )
    (folder / "kafka.pid").write_text(str(pid))
    deadline_s = time.monotonic() + _START_LIMIT_S
    while not listens(port):
        if not psutil.pid_exists(pid) or time.monotonic() > deadline_s:
            raise RuntimeError(f"the Kafka broker did not start:\n{log.read_text()[-4000:]}")
        time.sleep(0.1)
    return port


def _properties(data: Path, port: int, controller_port: int) -> str:
    """A small broker: one node, few internal partitions, no wait before a rebalance.

    Nothing is ever too old to be kept: composed traffic carries times long past.
    """
    return f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes=33554432
replica.fetch.max.bytes=33554432
socket.request.max.bytes=134217728
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.ms=-1
log.segment.delete.delay.ms=1000
log.cleaner.dedupe.buffer.size=4194304
"""


def free_ports(count: int) -> list[int]:
    """Ports that are free now; taken together, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for taken in sockets:
            taken.bind(("127.0.0.1", 0))
        return [taken.getsockname()[1] for taken in sockets]
    finally:
        for taken in sockets:
            taken.close()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
