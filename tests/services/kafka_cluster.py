"""Kafka brokers (KRaft, each a controller too) that can be killed, frozen and restarted.

Three of them, as in production: topics live on all and take a write when two have it. Or one, where
a test is about a single connection. Each broker is reachable twice: directly, and through a proxy
that can be made slow (`slow_bootstrap`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.services.guarded import start_guarded
from tests.services.kafka import LIBS, free_ports, listens
from tests.services.required import unavailable
from tests.services.slow_proxy import SlowProxy

BROKERS = 3
_START_LIMIT_S = 180.0
_JAVA = (
    "java",
    "-Xmx320m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-cp",
    f"{LIBS}/*",
)


@dataclass(frozen=True)
class _Ports:
    direct: int
    slow: int
    controller: int
    proxy: SlowProxy


class KafkaCluster:
    """Brokers by index from 0.

    Attributes:
        bootstrap: "host:port,…" of all brokers.
        slow_bootstrap: the same through the proxies; a client that starts here stays behind them.
    """

    def __init__(self, folder: Path, owner_pid: int, brokers: int = BROKERS) -> None:
        """Starts all brokers; they end with process `owner_pid`. Skips where there can be none."""
        if shutil.which("java") is None or not any(LIBS.glob("kafka_*.jar")):
            unavailable("a Kafka cluster", "install Java 17 and run `make kafka`")
        self._folder = folder
        self._owner_pid = owner_pid
        self._count = brokers
        ports = free_ports(3 * brokers)
        self._ports = [
            _Ports(direct, slow, controller, SlowProxy(slow))
            for direct, slow, controller in zip(ports[::3], ports[1::3], ports[2::3], strict=True)
        ]
        self.bootstrap = ",".join(f"127.0.0.1:{p.direct}" for p in self._ports)
        self.slow_bootstrap = ",".join(f"127.0.0.1:{p.proxy.port}" for p in self._ports)
        self._guards: dict[int, int] = {}
        for index in range(brokers):
            self._format(index)
        for index in range(brokers):
            self._launch(index)
        self.await_ready()

    @property
    def proxies(self) -> Sequence[SlowProxy]:
        """The proxy of each broker."""
        return [ports.proxy for ports in self._ports]

    def kill(self, index: int) -> None:
        """SIGKILL: the broker is gone at once."""
        broker = self._process(index)
        broker.send_signal(signal.SIGKILL)
        broker.wait(10.0)

    def stop(self, index: int) -> None:
        """SIGTERM: the broker hands its partitions over and ends."""
        broker = self._process(index)
        broker.send_signal(signal.SIGTERM)
        broker.wait(60.0)

    def freeze(self, index: int) -> None:
        """SIGSTOP: connections stay, nothing answers."""
        self._process(index).send_signal(signal.SIGSTOP)

    def thaw(self, index: int) -> None:
        """SIGCONT."""
        self._process(index).send_signal(signal.SIGCONT)

    def restart(self, index: int) -> None:
        """Starts a broker that was killed or stopped, with what is on its disk."""
        self._launch(index)

    def await_ready(self) -> None:
        """Returns when all brokers serve and know each other. Raises RuntimeError at the limit."""
        give_up_s = time.monotonic() + _START_LIMIT_S
        while (
            not all(listens(ports.direct) for ports in self._ports) or self._known() < self._count
        ):
            if time.monotonic() > give_up_s:
                tails = [self._log(i).read_text()[-2000:] for i in range(self._count)]
                raise RuntimeError("the Kafka cluster did not start:\n" + "\n".join(tails))
            time.sleep(0.2)

    def close(self) -> None:
        """Ends all brokers and proxies."""
        for guard in self._guards.values():
            try:
                processes = [psutil.Process(guard), *psutil.Process(guard).children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
            for process in reversed(processes):
                try:
                    process.send_signal(signal.SIGCONT)
                    process.send_signal(signal.SIGKILL)
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(processes, timeout=5.0)
        for ports in self._ports:
            ports.proxy.close()

    def _known(self) -> int:
        """How many brokers the cluster says it has; 0 while it does not answer."""
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, client_id="tests")
        except KafkaError:
            return 0
        try:
            return len(admin.describe_cluster()["brokers"])
        except KafkaError:
            return 0
        finally:
            admin.close()

    def _process(self, index: int) -> psutil.Process:
        """The broker itself, under its guard."""
        for child in psutil.Process(self._guards[index]).children():
            if child.name() == "java":
                return child
        raise RuntimeError(f"broker {index} does not run")

    def _log(self, index: int) -> Path:
        return self._folder / f"broker-{index}.log"

    def _format(self, index: int) -> None:
        settings = self._folder / f"broker-{index}.properties"
        settings.write_text(self._properties(index))
        # Any 16 bytes in URL-safe base64 name a cluster.
        command = [*_JAVA, "kafka.tools.StorageTool", "format", "-t", "c3RpbGx3YXRjaC10ZXN0cw"]
        formatted = subprocess.run(
            [*command, "-c", str(settings)], capture_output=True, text=True, check=False
        )
        if formatted.returncode:
            raise RuntimeError(f"Kafka's storage tool failed:\n{formatted.stderr}")

    def _launch(self, index: int) -> None:
        settings = self._folder / f"broker-{index}.properties"
        command = [*_JAVA, "kafka.Kafka", str(settings)]
        self._guards[index] = start_guarded(
            command, owner_pid=self._owner_pid, log=self._log(index)
        )
        give_up_s = time.monotonic() + 10.0
        while True:  # the guard forks the broker
            try:
                self._process(index)
                return
            except (RuntimeError, psutil.NoSuchProcess):
                if time.monotonic() > give_up_s:
                    raise
            time.sleep(0.05)

    def _properties(self, index: int) -> str:
        """A broker that notices within seconds when another is gone, and keeps what is old."""
        ports, factor = self._ports[index], self._count
        needed = min(2, factor)
        voters = ",".join(f"{i}@127.0.0.1:{p.controller}" for i, p in enumerate(self._ports))
        return f"""
process.roles=broker,controller
node.id={index}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{ports.direct},SLOW://127.0.0.1:{ports.slow},CONTROLLER://127.0.0.1:{ports.controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{ports.direct},SLOW://127.0.0.1:{ports.proxy.port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SLOW:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={self._folder / f"broker-{index}"}
auto.create.topics.enable=false
default.replication.factor={factor}
min.insync.replicas={needed}
message.max.bytes=33554432
replica.fetch.max.bytes=33554432
offsets.topic.num.partitions=4
offsets.topic.replication.factor={factor}
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={factor}
transaction.state.log.min.isr={needed}
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
replica.lag.time.max.ms=6000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=4194304
"""


def folder_for(root: Path) -> Path:
    """A new folder for a cluster's files."""
    folder = root / f"kafka-cluster-{os.getpid()}"
    folder.mkdir()
    return folder
