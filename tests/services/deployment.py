"""A deployment as an operator has it: real processes with deploy/stillwatch.toml on a real broker.

The topics of a deployment have fixed names, so each gets a broker of its own (with
STILLWATCH_KAFKA=host:port it shares that one, under an input topic and a group of its own).
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from kafka import KafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from tests.services.kafka import EXTERNAL_VARIABLE, shared_broker, stop_shared_broker
from tests.services.nginx import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
LIMIT_S = 120.0
"""Patience with a busy machine; alone, nothing here takes ten seconds."""
PROGRAM = (sys.executable, "-c", "from detector.cli.main import app; app()")


@dataclass(frozen=True)
class Running:
    """A process of `stillwatch`, with what it says in a file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    metrics_port: int

    def said(self) -> str:
        """Its stdout and stderr so far."""
        return self.log.read_text("utf-8", "replace")

    def metric(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples with these labels; 0 while it does not answer."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5.0).text
        except httpx.TransportError:
            return 0.0
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Waits for its end; the exit code."""
        return self.process.wait(LIMIT_S)

    def stop(self) -> None:
        """SIGTERM; it must end by itself, well, and without a traceback."""
        self.signal(signal.SIGTERM)
        code = self.ended()
        assert code == 0, f"{self.name} ended with {code}:\n{self.said()}"
        assert "Traceback" not in self.said(), self.said()


@dataclass
class Deployment:
    """A broker, a folder, and the processes that were started.

    `mark` ends the names of accounts, so that they are new to a broker that others use too.
    """

    bootstrap: str
    folder: Path
    environment: dict[str, str]
    input_topic: str
    group: str
    mark: str
    broker_folder: Path | None
    processes: list[Running] = field(default_factory=list)

    def command(self, *arguments: str, code: int = 0) -> str:
        """Runs a command to its end, which must be `code`; what it says on stdout."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env=self.environment, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{arguments} ended with {done.returncode}:\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def start(self, name: str, *arguments: str, metrics: bool = True) -> Running:
        """Starts a role; `metrics` where it has the option --metrics-port."""
        port = free_port() if metrics else 0
        number = len(self.processes)
        log = self.folder / f"{number}-{name}.log"
        options = ["--metrics-port", str(port)] if metrics else []
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [*PROGRAM, *arguments, *options],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
            )  # fmt: skip
        running = Running(name, process, log, port)
        self.processes.append(running)
        return running

    def worker(self, member: str, *options: str) -> Running:
        """Starts a worker of that name."""
        return self.start(member, "worker", "--member", member, *options)

    def until(self, true: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        """Waits for something that other processes do; fails with what they said."""
        end_s = time.monotonic() + limit_s
        while not true():
            if time.monotonic() > end_s:
                said = "\n".join(f"--- {one.name}\n{one.said()[-3000:]}" for one in self.processes)
                raise AssertionError(f"waited {limit_s:g} s in vain: {what}\n{said}")
            time.sleep(0.05)

    def handled(self, workers: Sequence[Running], count: int) -> None:
        """Waits until these workers have committed so many records together."""
        self.until(
            lambda: sum(one.metric("stillwatch_records_total") for one in workers) >= count,
            f"{count} records committed",
        )

    def committed(self) -> dict[int, int]:
        """The group's committed offset of each partition of the input that has one."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, client_id="tests")
        try:
            found = admin.list_group_offsets([self.group])[self.group]
        finally:
            admin.close()
        return {
            tp.partition: entry.offset
            for tp, entry in found.items()
            if tp.topic == self.input_topic and entry.offset >= 0
        }

    @contextmanager
    def frozen_broker(self) -> Iterator[bool]:
        """The broker takes connections and answers nothing while the block runs.

        Gives False for a broker that is not ours: it goes on.
        """
        with ExitStack() as stack:
            ours = self._brokers()
            for one in ours:
                one.suspend()
                stack.callback(one.resume)
            yield bool(ours)

    def _brokers(self) -> list[psutil.Process]:
        if self.broker_folder is None:
            return []
        guard = psutil.Process(int((self.broker_folder / "kafka.pid").read_text()))
        return [one for one in guard.children(recursive=True) if one.name() == "java"]


@contextmanager
def deployment(folder: Path, *, partitions: int = 4, **settings: str) -> Iterator[Deployment]:
    """Topics on a broker, and an environment; whatever was started is ended afterwards.

    `settings` are further STILLWATCH_ variables without the prefix.
    """
    external = EXTERNAL_VARIABLE in os.environ
    broker_folder = folder / "broker"
    broker_folder.mkdir()
    bootstrap = shared_broker(broker_folder, os.getpid()).bootstrap
    own = secrets.token_hex(4)
    environment = {
        **{name: value for name, value in os.environ.items() if name != EXTERNAL_VARIABLE},
        "STILLWATCH_SETTINGS": str(DEPLOY / "stillwatch.toml"),
        # What differs from the image: places, and the secrets.
        "STILLWATCH_KEYS": str(folder / "keys.toml"),
        "STILLWATCH_LAKE": str(folder / "lake"),
        "STILLWATCH_DATABASE": f"sqlite:///{folder}/alerts.db",
        "STILLWATCH_HMAC_KEY": "tests",
        "STILLWATCH_HOST": "127.0.0.1",
        "STILLWATCH_KAFKA__BOOTSTRAP": bootstrap,
        # Members hear of each other, and of a death, within a test's patience.
        "STILLWATCH_KAFKA__HEARTBEAT_S": "0.2",
        "STILLWATCH_KAFKA__SESSION_TIMEOUT_S": "10",
        **({"STILLWATCH_INPUT_TOPIC": f"requests-{own}", "STILLWATCH_GROUP": own} if external
           else {}),
        **{f"STILLWATCH_{name.upper()}": value for name, value in settings.items()},
    }  # fmt: skip
    made = Deployment(
        bootstrap,
        folder,
        environment,
        environment.get("STILLWATCH_INPUT_TOPIC", "llm.requests"),
        environment.get("STILLWATCH_GROUP", "stillwatch"),
        f"-{own}" if external else "",
        None if external else broker_folder,
    )
    try:
        made.command(
            "topics", "create", "--partitions", str(partitions), "--replication", "1"
        )  # fmt: skip
        yield made
    finally:
        for one in made.processes:
            if one.process.poll() is None:
                one.process.send_signal(signal.SIGCONT)
                one.process.kill()
                one.process.wait(LIMIT_S)
        stop_shared_broker(broker_folder)
