"""Load on a cluster, and everything that can die dying under it; one seed gives one plan."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from streams.kafka_log import KafkaLog
from streams.log import OutputRecord, Unreachable
from tests.integration.worker_herd import Herd, Member
from tests.services.kafka_cluster import BROKERS, KafkaCluster

FENCED = 4
_CHUNK = 25
_PAUSE_S = 0.05
_LONGEST_GAP_S = 3.0
_FREEZE_S = (7.0, 9.0)
"""Past the session timeout of the run, around its transaction timeout."""
_BROKER_DOWN_S = (1.0, 6.0)


@dataclass(frozen=True)
class Plan:
    """What is to happen.

    Attributes:
        workers: so many run at most.
        snapshots: where the workers keep theirs, if they do: one folder in it is destroyed, and
            another file damaged.
    """

    seed: int
    kills: int
    freezes: int
    broker_kills: int
    workers: int = 3
    snapshots: Path | None = None


@dataclass
class Told:
    """What did happen."""

    kills: int = 0
    freezes: int = 0
    broker_kills: int = 0
    farewells: int = 0
    started: int = 0
    fenced: int = 0
    rejoined: int = 0
    snapshots_destroyed: int = 0
    sent: int = 0


class ChaosRun:
    """A plan on its way. `records` are sent as it goes on, so that there is always load."""

    def __init__(
        self,
        plan: Plan,
        cluster: KafkaCluster,
        herd: Herd,
        log: KafkaLog,
        records: Sequence[OutputRecord],
    ) -> None:
        self.told = Told()
        self.members: list[Member] = []
        self._plan = plan
        self._cluster = cluster
        self._herd = herd
        self._log = log
        self._records = records
        self._random = Random(plan.seed)  # noqa: S311 - it has to repeat
        self._due = 0
        self._names = 0
        self._timers: list[threading.Timer] = []
        self._failure: BaseException | None = None
        self._stopping = threading.Event()

    def run(self) -> None:
        """The whole plan; afterwards all brokers run, all records are sent, two workers live."""
        sender = threading.Thread(target=self._send)
        sender.start()
        try:
            for step in self._steps():
                self._due = len(self._records) * (self.told.kills + 1) // (self._plan.kills + 1)
                time.sleep(self._random.uniform(0.05, _LONGEST_GAP_S))
                self._look()
                step()
            for timer in self._timers:
                timer.join()
        finally:
            self._due = len(self._records)
            sender.join(180.0)
        if self._failure is not None:
            raise self._failure
        self._cluster.await_ready()
        self._look()
        self._fill(2)

    def _steps(self) -> Iterator[Callable[[], None]]:
        plan = self._plan
        steps = [self._kill] * plan.kills + [self._freeze] * plan.freezes
        steps += [self._kill_broker] * plan.broker_kills + [self._farewell] * (plan.kills // 10)
        self._random.shuffle(steps)
        if plan.snapshots is not None:
            # Late enough that there are some, early enough that workers still come to need them.
            steps.insert(len(steps) * 2 // 3, self._destroy_snapshots)
        return iter(steps)

    def _fill(self, count: int) -> None:
        while len(self.members) < count:
            self._names += 1
            # A name is used again or not; a static member comes back to its own partitions.
            static = "true" if self._random.random() < 0.3 else "false"
            name = f"w{self._names}" if self._random.random() < 0.5 else self._free_name()
            self.members.append(self._herd.start(name, STILLWATCH_KAFKA__STATIC_MEMBERS=static))
            self.told.started += 1

    def _free_name(self) -> str:
        taken = {member.name for member in self.members}
        names = [f"again{i}" for i in range(self._plan.workers) if f"again{i}" not in taken]
        return self._random.choice(names)

    def last_words(self) -> None:
        """Counts what the workers said, over all of them; fails where one has a bug of ours."""
        for log in self._herd.logs:
            said = log.read_text()
            if "Traceback" in said:
                raise AssertionError(f"{log.stem} has an error of ours:\n{said[-6000:]}")
            self.told.rejoined += said.count("joining anew")

    def _victim(self) -> Member:
        self._fill(self._random.randint(1, self._plan.workers))
        return self._random.choice(self.members)

    def _kill(self) -> None:
        victim = self._victim()
        victim.signal(signal.SIGKILL)
        victim.process.join()
        self.members.remove(victim)
        self.told.kills += 1
        self._fill(self._random.randint(1, self._plan.workers))

    def _farewell(self) -> None:
        """A worker leaves as it should."""
        victim = self._victim()
        victim.signal(signal.SIGTERM)
        victim.signal(signal.SIGCONT)
        victim.process.join(40.0)
        self.members.remove(victim)
        young = "worker started" not in victim.log.read_text()  # it may not listen to signals yet
        self._judge(victim, *((0, -signal.SIGTERM) if young else (0,)))
        self.told.farewells += 1

    def _freeze(self) -> None:
        victim = self._victim()
        victim.signal(signal.SIGSTOP)
        self.told.freezes += 1

        def thaw() -> None:
            if victim.alive:
                victim.signal(signal.SIGCONT)

        self._later(self._random.uniform(*_FREEZE_S), thaw)

    def _kill_broker(self) -> None:
        """One at a time: two of three must be there for a write."""
        for timer in self._timers:
            timer.join()
        self._cluster.await_ready()
        index = self._random.randrange(BROKERS)
        self._cluster.kill(index)
        self.told.broker_kills += 1
        self._later(self._random.uniform(*_BROKER_DOWN_S), lambda: self._cluster.restart(index))

    def _destroy_snapshots(self) -> None:
        """The disk of one partition's snapshots is lost, and a file of another has a wrong bit."""
        root = self._plan.snapshots
        if root is None:
            return
        folders = sorted({file.parent for file in root.rglob("*") if file.is_file()})
        if not folders:
            raise AssertionError(f"there are no snapshots in {root} by now")
        lost = self._random.choice(folders)
        # Workers may write there meanwhile: what they add after this is theirs to keep.
        shutil.rmtree(lost, ignore_errors=True)
        self.told.snapshots_destroyed += 1
        files = sorted(file for file in root.rglob("*") if file.is_file() and file.parent != lost)
        if files:
            file = self._random.choice(files)
            data = bytearray(file.read_bytes())
            if data:
                data[self._random.randrange(len(data))] ^= 1
                file.write_bytes(data)

    def _later(self, after_s: float, work: Callable[[], None]) -> None:
        timer = threading.Timer(after_s, work)
        timer.start()
        self._timers.append(timer)

    def _look(self) -> None:
        """Who ended by itself must have been fenced."""
        for member in [*self.members]:
            if not member.alive:
                self.members.remove(member)
                self._judge(member)

    def _judge(self, member: Member, *expected: int) -> None:
        code = member.process.exitcode
        said = member.log.read_text()
        if "Traceback" in said:
            raise AssertionError(f"{member.name} has an error of ours:\n{said[-6000:]}")
        if code == FENCED:
            self.told.fenced += 1
            if "nothing is lost" not in said:
                raise AssertionError(f"{member.name} does not say why it stopped:\n{said[-6000:]}")
        elif code not in expected:
            raise AssertionError(f"{member.name} ended with {code}:\n{said[-6000:]}")

    def _send(self) -> None:
        try:
            producer = self._log.producer()
            while self.told.sent < len(self._records):
                stop = min(self.told.sent + _CHUNK, self._due)
                if self.told.sent < stop:
                    chunk = self._records[self.told.sent : stop]
                    try:
                        producer.send(chunk)
                    except Unreachable:
                        # Some of it may be there: it is sent again, and workers drop duplicates.
                        producer.close()
                        producer = self._log.producer()
                        continue
                    self.told.sent = stop
                time.sleep(_PAUSE_S)
            producer.close()
        except BaseException as error:  # noqa: BLE001 - raised by `run`
            self._failure = error
