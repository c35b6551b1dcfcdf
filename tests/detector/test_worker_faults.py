"""The worker when its log misbehaves: stuck, away, thrown out, moved, clocks that jump."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detector.control import CONTROL
from detector.metrics import WorkerMetrics
from detector.output_records import TOPICS
from detector.pipeline import Pipeline
from detector.policy import parse_policy
from detector.switches import ModelShelf
from detector.worker import Worker
from detector.worker_settings import WorkerSettings
from streams.log import (
    Fenced,
    GroupMetadata,
    GroupMoved,
    LogConsumer,
    LogError,
    LogProducer,
    LogReader,
    LogRecord,
    OutputRecord,
    RebalanceListener,
    TopicPartition,
    UnknownTopic,
    Unreachable,
)
from streams.memory_log import MemoryLog
from tests.detector.runs import NATIVE, released
from tests.detector.test_worker import run_to, wanted
from tests.detector.worker_rig import (
    GROUP,
    INPUT,
    POLICY_TEXT,
    drain,
    ends,
    new_log,
    new_worker,
    no_models,
    read_all,
    small_day,
    states,
    told,
)

STUCK = TopicPartition(INPUT, 1)


class Faults:
    """What is to go wrong next, and what was asked for.

    Attributes:
        silent: partitions that polls leave out until a new consumer is made (kafka-python #3131).
        transactions: raised by the next transactions, in turn; None lets one pass.
        makes: raised by the next makings of a producer.
    """

    def __init__(self) -> None:
        self.silent: frozenset[TopicPartition] = frozenset()
        self.transactions: list[LogError | None] = []
        self.makes: list[LogError] = []
        self.consumers = 0


class FaultyConsumer:
    """A member whose polls leave out silent partitions: it has them, and never reads them."""

    def __init__(self, inner: LogConsumer, faults: Faults) -> None:
        self._inner, self._faults = inner, faults
        self._silent = faults.silent
        self._held: frozenset[TopicPartition] = frozenset()

    def poll(self, max_records: int, timeout_s: float) -> list[LogRecord]:
        self._silent |= self._faults.silent
        self._inner.pause(self._silent)
        return self._inner.poll(max_records, timeout_s)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._inner.resume(set(partitions) - self._silent)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._inner.pause(partitions)

    def positions(self) -> dict[TopicPartition, int]:
        return self._inner.positions()

    def end_offsets(self) -> dict[TopicPartition, int]:
        return self._inner.end_offsets()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._inner.seek(partition, offset)

    def close(self) -> None:
        self._inner.close()

    def assignment(self) -> frozenset[TopicPartition]:
        return self._inner.assignment()

    def committed(self) -> dict[TopicPartition, int | None]:
        return self._inner.committed()

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._inner.commit(offsets)

    def group_metadata(self) -> GroupMetadata:
        return self._inner.group_metadata()


class FaultyProducer:
    """A producer whose transactions fail as told, with nothing written."""

    def __init__(self, inner: LogProducer, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    def send(self, records: Iterable[OutputRecord]) -> None:
        self._inner.send(records)

    def send_transaction(
        self,
        outputs: Sequence[OutputRecord],
        offsets: Mapping[TopicPartition, int],
        group: GroupMetadata | None = None,
    ) -> None:
        if offsets and self._faults.transactions:
            error = self._faults.transactions.pop(0)
            if error is not None:
                raise error
        self._inner.send_transaction(outputs, offsets, group)

    def settle(self, group_id: str, partition: TopicPartition) -> None:
        self._inner.settle(group_id, partition)

    def close(self) -> None:
        self._inner.close()


class FaultyLog:
    """Implements `streams.log.Log` over the in-process one."""

    def __init__(self, inner: MemoryLog, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    def partitions_for(self, topic: str) -> int:
        return self._inner.partitions_for(topic)

    def consumer(
        self,
        group_id: str,
        topics: Sequence[str],
        *,
        member_id: str,
        listener: RebalanceListener | None = None,
    ) -> FaultyConsumer:
        self._faults.consumers += 1
        self._faults.silent = frozenset()  # a new consumer reads all
        inner = self._inner.consumer(group_id, topics, member_id=member_id, listener=listener)
        return FaultyConsumer(inner, self._faults)

    def reader(self, partitions: Sequence[TopicPartition]) -> LogReader:
        return self._inner.reader(partitions)

    def producer(self, transactional_id: str | None = None) -> FaultyProducer:
        if transactional_id is not None and self._faults.makes:
            raise self._faults.makes.pop(0)
        return FaultyProducer(self._inner.producer(transactional_id), self._faults)


class Until(threading.Event):
    """Set once `done` says so; waits take no time, and are written down."""

    def __init__(self, done: Callable[[], bool]) -> None:
        super().__init__()
        self._done = done
        self.waits: list[float] = []

    def is_set(self) -> bool:
        return self._done()

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return False


def faulty(
    log: MemoryLog, faults: Faults, registry: CollectorRegistry, stop: threading.Event
) -> Worker:
    """A worker that asks for lags in each turn and takes ten seconds for a turn."""
    clock = count(5000, 2)
    return Worker(
        FaultyLog(log, faults),
        Pipeline(released(), parse_policy(POLICY_TEXT, "policy"), NATIVE),
        ModelShelf(released(), no_models),
        WorkerSettings(
            topic=INPUT,
            group=GROUP,
            member_id="w",
            policy_text=POLICY_TEXT,
            batch_records=100,
            poll_s=0.0,
            control_every_s=0.0,
            lag_every_s=0.0,
            retry_s=0.0,
        ),
        WorkerMetrics(registry),
        stop,
        now_s=lambda: 1_800_000_000.0,
        monotonic_s=lambda: float(next(clock)),
    )


def committed(log: MemoryLog) -> dict[int, int]:
    """The group's committed offsets."""
    found = log._store.groups[GROUP].committed
    return {at.partition: offset for at, offset in found.items()}


def handled(log: MemoryLog) -> Callable[[], bool]:
    """Whether all of the input is committed."""
    want = ends(log, INPUT)
    return lambda: GROUP in log._store.groups and committed(log) == want


def last_word(log: MemoryLog) -> None:
    """Outputs and a rebuilt state are those of an undisturbed run."""
    state, outputs = wanted()
    assert told(log) == outputs
    worker = new_worker(log, member="last")
    drain(worker, log=log)
    assert states(worker) == state


def test_a_silently_stuck_partition_is_read_by_a_new_consumer() -> None:
    """A partition that the client stops fetching, without a word: the gauge tells it, the worker
    joins anew with a new consumer, counts why, and all is handled, once."""
    log, faults, registry = new_log(small_day()), Faults(), CollectorRegistry()
    worker: Worker
    alarms: list[float] = []
    all_handled = handled(log)

    def done() -> bool:
        alarms.append(registry.get_sample_value("stillwatch_partitions_stuck") or 0.0)
        return all_handled()

    worker = faulty(log, faults, registry, Until(done))
    run_to(worker, log, 0.2)
    faults.silent = frozenset({STUCK})
    before = committed(log)[STUCK.partition]
    worker.run()
    assert before < ends(log, INPUT)[STUCK.partition]
    assert max(alarms) == 1.0
    assert alarms[-1] == 0.0
    rejoins = {"reason": "StuckPartitions"}
    assert registry.get_sample_value("stillwatch_rejoins_total", rejoins) == 1.0
    assert faults.consumers == 2
    last_word(log)


def test_thrown_out_of_its_group_a_worker_joins_anew() -> None:
    """Nobody took its name: it drops its state, joins anew, goes on, and handles nothing twice."""
    log, faults, registry = new_log(small_day()), Faults(), CollectorRegistry()
    worker = faulty(log, faults, registry, Until(handled(log)))
    run_to(worker, log, 0.2)
    log.expire_member(GROUP, "w")
    worker.run()
    assert registry.get_sample_value("stillwatch_rejoins_total", {"reason": "Evicted"}) == 1.0
    last_word(log)


def test_a_log_that_goes_away_is_waited_for() -> None:
    """Transactions of unknown end, then no connection for a while: state is dropped, waits grow,
    and after it nothing is lost or doubled; the gauge tells the outage."""
    log, faults, registry = new_log(small_day()), Faults(), CollectorRegistry()
    all_handled = handled(log)
    connected: list[float | None] = []

    def done() -> bool:
        connected.append(registry.get_sample_value("stillwatch_log_connected"))
        return all_handled()

    stop = Until(done)
    worker = faulty(log, faults, registry, stop)
    run_to(worker, log, 0.2)
    faults.transactions = [Unreachable("no answer")]
    faults.makes = [Unreachable("away")] * 5
    worker.run()
    assert stop.waits[:6] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4]
    assert 0.0 in connected
    assert connected[-1] == 1.0
    assert registry.get_sample_value("stillwatch_rejoins_total", {"reason": "Unreachable"}) == 6.0
    last_word(log)


def test_a_commit_that_a_rebalance_refused_is_sent_again() -> None:
    """GroupMoved: the same outputs go out after the next polls, and nothing is computed twice."""
    log, faults, registry = new_log(small_day()), Faults(), CollectorRegistry()
    worker = faulty(log, faults, registry, Until(handled(log)))
    run_to(worker, log, 0.2)
    moved = GroupMoved("the group is rebalancing")
    faults.transactions = [moved, moved, None, moved, None]
    worker.run()
    assert registry.get_sample_value("stillwatch_commits_held_total") == 3.0
    assert faults.consumers == 1
    last_word(log)


def test_a_group_that_never_rests_makes_the_worker_join_anew() -> None:
    """Commits that are refused for longer than give_up_s: all is dropped, and it starts over."""
    log, faults, registry = new_log(small_day()), Faults(), CollectorRegistry()
    worker = faulty(log, faults, registry, Until(handled(log)))
    run_to(worker, log, 0.2)
    faults.transactions = [GroupMoved("the group is rebalancing")] * 40
    worker.run()
    rejoins = registry.get_sample_value("stillwatch_rejoins_total", {"reason": "Evicted"})
    assert rejoins is not None
    assert rejoins >= 1.0
    last_word(log)


def test_a_partition_lost_while_its_commit_is_held_is_its_heirs() -> None:
    """A commit is refused, and the rebalance gives half of the partitions away: the worker commits
    the rest, the heir handles its own from what was committed, and nothing is doubled."""
    log, faults, registry = new_log(small_day()), Faults(), CollectorRegistry()
    worker = faulty(log, faults, registry, threading.Event())
    run_to(worker, log, 0.2)
    faults.transactions = [GroupMoved("the group is rebalancing")]
    while faults.transactions:
        worker.turn()
    heir = new_worker(log, size=100, member="heir")
    drain(worker, heir, log=log)
    assert worker.shards
    assert heir.shards
    state, outputs = wanted()
    assert told(log) == outputs
    assert states(worker, heir) == state


def test_an_error_that_stays_ends_the_worker() -> None:
    """A topic that is gone for longer than give_up_s comes out as it is, with all state dropped."""
    log, faults, registry = new_log(small_day()), Faults(), CollectorRegistry()
    worker = faulty(log, faults, registry, Until(lambda: False))
    run_to(worker, log, 0.2)
    faults.transactions = [UnknownTopic("stillwatch.alerts is gone")] * 1000
    with pytest.raises(UnknownTopic, match="is gone"):
        worker.run()
    assert not worker.shards
    faults.transactions = [Fenced("another has the name")]
    second = faulty(log, faults, CollectorRegistry(), Until(lambda: False))
    with pytest.raises(Fenced, match="another has the name"):
        second.run()
    assert not second.shards


class Jumping:
    """A clock that jumps: seconds on, days forward, years back, and stands still at times."""

    def __init__(self, start_s: float) -> None:
        self._now_s = start_s
        self._steps = iter(
            step for _ in count() for step in (0.01, 0.0, 3 * 86_400.0, 1.0, -9e8, 0.0, 8.9e8, -5.0)
        )

    def __call__(self) -> float:
        self._now_s += next(self._steps)
        return self._now_s


@pytest.mark.parametrize("jumping", ["now", "monotonic", "both"])
def test_clocks_that_jump_change_nothing(jumping: str, tmp_path: Path) -> None:
    """The machine's clock is set forward by days and back by years, and even the monotonic one
    jumps, as on a machine that was suspended: outputs and state are those of an undisturbed run,
    over a rebalance, snapshots and a rebuild. Only the audit trail of the control topic carries the
    clock."""
    log = new_log(small_day())
    made: list[Worker] = []
    for name in ("first", "second"):
        worker = new_worker(
            log,
            size=64,
            member=name,
            snapshots=str(tmp_path),
            now_s=None if jumping == "monotonic" else Jumping(1_800_000_000.0),
            monotonic_s=None if jumping == "now" else Jumping(1_000_000_000.0),
        )
        made.append(worker)
        for _ in range(30):
            for one in made:
                one.turn()
    drain(*made, log=log)
    state, outputs = wanted()
    assert states(*made) == state
    assert told(log, TOPICS) == outputs
    assert read_all(log, CONTROL)
    for one in made:
        one.close()
    last_word(log)
