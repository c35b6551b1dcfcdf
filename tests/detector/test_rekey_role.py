"""Rekeying: each record once, under its account, with its bytes, time and headers."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from detector.errors import BadTopic
from detector.output_records import DEAD_LETTERS
from detector.rekey_role import RekeyRole
from streams.log import (
    Fenced,
    GroupMetadata,
    GroupMoved,
    LogError,
    OutputRecord,
    RecordRefused,
    TopicPartition,
    Unreachable,
)
from streams.memory_clients import MemoryProducer
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from streams.partitioner import partition_for
from tests.detector.rekey_rig import (
    SOURCE,
    T0_S,
    TARGET,
    export,
    exports,
    n_refused,
    new_log,
    new_role,
    refused,
    wanted,
    written,
)
from tests.detector.worker_rig import INPUT, directly, ends, read_all, small_day
from tests.detector.worker_rig import new_log as worker_log

N = 150


def drain(*roles: RekeyRole, log: MemoryLog) -> None:
    """Turns the roles until nothing is left to commit."""
    want = sum(ends(log, SOURCE).values())
    done = 0
    for _ in range(10_000):
        done += sum([role.turn() for role in roles])
        if done == want:
            return
    raise AssertionError(f"{done} of {want} records were committed")


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_every_record_once_with_all_that_it_was(size: int) -> None:
    """Key, partition, bytes, time and headers of every record; dead letters with their places; and
    the counts. However the log is cut into batches."""
    log = new_log(N)
    registry = CollectorRegistry()
    role = new_role(log, size=size, registry=registry)
    drain(role, log=log)
    role.close()
    assert written(log) == wanted(N)
    for record in read_all(log, TARGET):
        assert record.key is not None
        assert record.partition == partition_for(record.key, 4)
        assert [name for name, _ in record.headers] == ["n", "empty"]
    letters = [json.loads(record.value)["data"] for record in read_all(log, DEAD_LETTERS)]
    assert len(letters) == n_refused(N)
    for letter in letters:
        assert letter["topic"] == SOURCE
        assert letter["reason"]
        assert letter.get("field", "") in ("", "account")

    def count(name: str, **labels: str) -> float:
        return registry.get_sample_value(f"stillwatch_rekey_{name}_total", labels) or 0.0

    assert count("records") == N
    assert count("written") == sum(map(len, wanted(N).values()))
    assert count("cut") == sum(len(parts) > 1 for parts in wanted(N).values())
    assert count("empty") == N - len(wanted(N)) - n_refused(N)
    kinds = ("MalformedRecord", "UnknownFormat")
    assert [count("dead_letters", kind=kind) for kind in kinds] == [
        sum(letter["kind"] == kind for letter in letters) for kind in kinds
    ]
    assert count("mixed") == 0


def test_order_within_an_account_is_the_sources() -> None:
    """Records of one source partition come to the account's partition in their order."""
    log = new_log(N, partitions=1)
    role = new_role(log, size=8)
    drain(role, log=log)
    role.close()
    for number in range(4):
        times = [r.timestamp_s for r in read_all(log, TARGET) if r.partition == number]
        assert times == sorted(times)
        assert times


def test_a_rekeyed_day_is_judged_as_a_keyed_one() -> None:
    """A composed day without keys, rekeyed: each partition's state and outputs are those of the day
    that was keyed from the start."""
    day = small_day()
    log = worker_log()
    log.create_topic(SOURCE)
    log.producer().send(OutputRecord(SOURCE, None, r.value, r.timestamp_s, r.headers) for r in day)
    role = new_role(log, size=500)
    drain(role, log=log)
    role.close()
    assert directly(log, INPUT) == directly(worker_log(day))


class _Producer(MemoryProducer):
    """Fails as `FaultyLog` says."""

    faulty: FaultyLog

    def send_transaction(
        self,
        outputs: Sequence[OutputRecord],
        offsets: Mapping[TopicPartition, int],
        group: GroupMetadata | None = None,
    ) -> None:
        before, after = self.faulty.faults.pop(0) if self.faulty.faults else (None, None)
        if before is not None:
            raise before
        super().send_transaction(outputs, offsets, group)
        if after is not None:
            raise after


class FaultyLog(MemoryLog):
    """A log whose transactions fail, before they are written or after; first fault first."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[tuple[LogError | None, LogError | None]] = []

    def producer(self, transactional_id: str | None = None) -> MemoryProducer:
        made = super().producer(transactional_id)
        if transactional_id is None:
            return made
        faulty = _Producer(self._store, transactional_id, made._epoch)
        faulty.faulty = self
        return faulty


def faulty_log(*faults: tuple[LogError | None, LogError | None]) -> FaultyLog:
    """The small log, with these faults to come."""
    log = FaultyLog()
    log.create_topic(SOURCE, TopicSettings(partitions=3))
    for topic in (TARGET, DEAD_LETTERS):
        log.create_topic(topic, TopicSettings(partitions=4))
    log.producer().send(exports(N))
    log.faults += faults
    return log


def run_to_the_end(role: RekeyRole, stop: threading.Event, log: MemoryLog, count: int) -> None:
    """Runs the role on its own thread until so many records are written, then stops it."""
    thread = threading.Thread(target=role.run)
    thread.start()
    while thread.is_alive() and sum(ends(log, TARGET).values()) < count:
        thread.join(0.01)
    stop.set()
    thread.join(30.0)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "fault",
    [
        (Unreachable("gone before"), None),
        (None, Unreachable("gone, and nobody knows that it was written")),
        (GroupMoved("rebalancing"), None),
        (LogError("anything else"), None),
    ],
)
def test_a_fault_between_send_and_commit_loses_and_doubles_nothing(
    fault: tuple[LogError | None, LogError | None],
) -> None:
    """Transactions fail, before and after the log took them, again and again: each record is
    written once."""
    log = faulty_log((None, None), fault, fault, (None, None), fault)
    stop = threading.Event()
    registry = CollectorRegistry()
    role = new_role(log, size=20, stop=stop, registry=registry)
    run_to_the_end(role, stop, log, sum(map(len, wanted(N).values())))
    assert written(log) == wanted(N)
    assert len(refused(log)) == len(set(refused(log))) == n_refused(N)
    moved = isinstance(fault[0], GroupMoved)
    held = registry.get_sample_value("stillwatch_rekey_commits_held_total")
    assert held == (3.0 if moved else 0.0)


def test_what_a_rebalance_takes_is_not_committed() -> None:
    """A commit waits for a rebalance that gives a partition away: only what is still owned is
    committed, the new owner does the rest; each record once."""
    log = faulty_log((GroupMoved("rebalancing"), None))
    first = new_role(log, size=60, member="first")
    first.turn()
    assert first._member.held
    second = new_role(log, size=60, member="second")
    drain(first, second, log=log)
    assert written(log) == wanted(N)
    assert len(refused(log)) == n_refused(N)
    first.close()
    second.close()


def test_members_share_come_and_go() -> None:
    """Three members, of which one leaves midway: nothing is lost, nothing doubled."""
    log = new_log(N)
    roles = [new_role(log, size=5, member=f"m{i}") for i in range(3)]
    done = 0
    for _ in range(8):
        done += sum(role.turn() for role in roles)
    assert 0 < done < N
    roles.pop().close()
    for _ in range(1000):
        done += sum(role.turn() for role in roles)
    assert done == N
    assert written(log) == wanted(N)
    for role in roles:
        role.close()


def test_too_many_bad_records_stop_it_with_nothing_committed() -> None:
    """A wrong setting must not drain the topic: it stops, names the place and what to do. With a
    cap of 1 all go to the dead letters."""
    log = MemoryLog()
    for topic in (SOURCE, TARGET, DEAD_LETTERS):
        log.create_topic(topic)
    log.producer().send(OutputRecord(SOURCE, None, export(5), T0_S + n) for n in range(300))
    role = new_role(log, size=1000)
    with pytest.raises(BadTopic, match=r"llm\.spans, partition 0: .*--bad-ratio-cap 1"):
        role.run()
    assert ends(log, DEAD_LETTERS) == {0: 0}
    role = new_role(log, size=1000, cap=1.0)
    drain(role, log=log)
    role.close()
    assert ends(log, DEAD_LETTERS) == {0: 300}


def test_a_second_one_of_the_name_fences_it() -> None:
    """The older one stops and says why; the newer goes on where it stood."""
    log = new_log(N)
    older = new_role(log, size=20)
    older.turn()
    log.producer("stillwatch.rekey-r")
    with pytest.raises(Fenced, match="newer producer"):
        older.run()
    newer = new_role(log, size=20)
    for _ in range(100):
        newer.turn()
    newer.close()
    assert written(log) == wanted(N)


def test_records_that_the_topic_dropped_are_counted() -> None:
    """A rekeyer that was away too long goes on at the earliest record and counts what is lost."""
    log = MemoryLog()
    log.create_topic(SOURCE, TopicSettings(max_records=50, when_full="drop_oldest"))
    for topic in (TARGET, DEAD_LETTERS):
        log.create_topic(topic, TopicSettings(partitions=4))
    producer = log.producer()
    producer.send(exports(N)[:40])
    registry = CollectorRegistry()
    role = new_role(log, size=20, registry=registry)
    assert role.turn() == 20
    producer.send(exports(N)[40:])
    done = sum(role.turn() for _ in range(10))
    role.close()
    assert done == 50
    assert registry.get_sample_value("stillwatch_rekey_records_lost_total") == N - 50 - 20


def test_what_the_input_topic_would_not_take_is_a_dead_letter() -> None:
    """A record that fits the source and, with its key, no longer fits the target must not stop the
    topic for ever."""
    log = new_log(0)
    long = spans_of(export(1), "x" * 16 * 1024 * 1024)
    log.producer().send([OutputRecord(SOURCE, None, long, T0_S), *exports(2)[1:]])
    role = new_role(log)
    assert sum(role.turn() for _ in range(3)) == 2
    role.close()
    assert list(written(log)) == ["1"]
    assert [kind for *_, kind in refused(log)] == ["MalformedRecord"]


def spans_of(raw: bytes, filler: str) -> bytes:
    """An export padded to just under the limit of intake."""
    obj = msgspec.json.decode(raw)
    room = 16 * 1024 * 1024 - len(msgspec.json.encode({**obj, "pad": ""}))
    return msgspec.json.encode({**obj, "pad": filler[: room - 1]})


def test_a_record_that_can_never_be_written_ends_it() -> None:
    """Not tried for ever: a person must look."""
    role = new_role(faulty_log((RecordRefused("never"), None)))
    with pytest.raises(RecordRefused):
        role.run()
