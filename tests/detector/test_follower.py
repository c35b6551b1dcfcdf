"""The thread that follows topics."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest

from detector.api.wiring import reader_of
from detector.follower import Follower
from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.log import LogReader, LogRecord, OffsetOutOfRange, OutputRecord, TopicPartition
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from tests.detector.api.api_case import Clock, until
from tests.detector.api.breakable_log import BreakableLog
from tests.services.kafka import KafkaBroker
from tests.services.nginx import free_port
from tests.streams.kafka_backend import KafkaBackend

TOPIC = "t"


def make_log(partitions: int = 2) -> MemoryLog:
    """A log with one topic."""
    log = MemoryLog()
    log.create_topic(TOPIC, TopicSettings(partitions=partitions))
    return log


def write(log: MemoryLog, *values: bytes, partition: int = 0) -> None:
    """Appends records."""
    log.producer().send(
        [OutputRecord(TOPIC, b"k", value, 0.0, partition=partition) for value in values]
    )


class Table:
    """Keeps what it was given; raises as long as `bad` is set."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.bad: Exception | None = None
        self.forgotten = 0

    def apply(self, records: Sequence[LogRecord]) -> None:
        """Takes records."""
        if self.bad is not None:
            raise self.bad
        self.values += [record.value for record in records]

    def forget(self) -> None:
        """Empties the table."""
        self.forgotten += 1
        self.values.clear()


@contextmanager
def following(log: Any, table: Table, clock: Clock, **named: Any) -> Iterator[Follower]:
    """A running follower of the topic."""
    follower = Follower(
        lambda: reader_of(log, TOPIC), table.apply, lambda: clock.monotonic_s, **named
    )
    follower.start()
    try:
        yield follower
    finally:
        follower.stop()


def test_it_reads_what_is_there_and_what_comes() -> None:
    """In order within a partition; positions tell where it stands."""
    log, table, clock = make_log(), Table(), Clock()
    write(log, b"1", b"2")
    with following(log, table, clock) as follower:
        until(lambda: table.values == [b"1", b"2"])
        write(log, b"3")
        until(lambda: table.values == [b"1", b"2", b"3"])
        until(lambda: follower.positions()[TopicPartition(TOPIC, 0)] == 3)
        assert follower.caught_up


def test_a_quiet_topic_stays_fresh_and_a_silent_broker_does_not() -> None:
    """Staleness is the time since the end was known, whatever the traffic."""
    log, table, clock = BreakableLog(make_log()), Table(), Clock()
    with following(log, table, clock) as follower:
        until(lambda: follower.caught_up)
        clock.forward(100.0)
        until(lambda: follower.staleness_s() == 0.0)
        log.broken = True
        until(lambda: follower.error is not None)
        clock.forward(100.0)
        assert follower.staleness_s() == 100.0
        assert "does not answer" in str(follower.error)
        log.broken = False
        until(lambda: follower.staleness_s() == 0.0)
        until(lambda: follower.error is None)


def test_a_reader_that_hangs_makes_it_stale() -> None:
    """No error ever comes; the age grows all the same, and `stop` does not wait for ever."""
    log, table, clock = make_log(), Table(), Clock()
    go_on = threading.Event()

    class Hanging:
        def __init__(self) -> None:
            self._reader: LogReader = reader_of(log, TOPIC)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._reader, name)

        def end_offsets(self) -> dict[TopicPartition, int]:
            go_on.wait()
            return self._reader.end_offsets()

    follower = Follower(Hanging, table.apply, lambda: clock.monotonic_s)
    follower.start()
    clock.forward(50.0)
    assert not follower.caught_up
    assert follower.staleness_s() > 1e9
    follower.stop(timeout_s=0.01)
    go_on.set()
    follower.stop()


def test_records_that_could_not_be_applied_come_again() -> None:
    """Nothing is lost when the table's own store fails for a while, and it is told."""
    log, table, clock = make_log(), Table(), Clock()
    table.bad = RuntimeError("the database is away")
    write(log, b"1", b"2")
    with following(log, table, clock) as follower:
        until(lambda: follower.error == "the database is away")
        assert not follower.caught_up
        table.bad = None
        until(lambda: table.values == [b"1", b"2"])
        until(lambda: follower.error is None)


def test_it_starts_where_it_is_told() -> None:
    """What a store holds already is not read again; other partitions start at the earliest."""
    log, table, clock = make_log(), Table(), Clock()
    write(log, b"1", b"2", b"3")
    write(log, b"other", partition=1)
    with following(log, table, clock, start_at={TopicPartition(TOPIC, 0): 2}):
        until(lambda: sorted(table.values) == [b"3", b"other"])


def test_a_topic_that_comes_later_is_followed() -> None:
    """The API may be up before its topics are."""
    log, table, clock = MemoryLog(), Table(), Clock()
    with following(log, table, clock) as follower:
        until(lambda: follower.error is not None)
        log.create_topic(TOPIC)
        write(log, b"1")
        until(lambda: table.values == [b"1"])


@pytest.mark.parametrize("forgets", [True, False])
def test_a_position_that_is_gone_starts_over(forgets: bool) -> None:
    """From the earliest record; a table that stands for the whole log empties itself before."""
    log, table, clock = make_log(1), Table(), Clock()
    write(log, b"1", b"2")
    named: dict[str, Any] = {"forget": table.forget} if forgets else {}
    start = {TopicPartition(TOPIC, 0): 99}
    reader = log.reader(list(start))
    reader.seek(TopicPartition(TOPIC, 0), 99)
    with pytest.raises(OffsetOutOfRange):
        reader.poll(1, 0.0)
    with following(log, table, clock, start_at=start, **named) as follower:
        until(lambda: table.values == [b"1", b"2"])
        until(lambda: follower.caught_up)
    assert table.forgotten == int(forgets)


def test_over_kafka_the_end_is_known_behind_markers_of_transactions(
    kafka_broker: KafkaBroker,
) -> None:
    """A transaction's marker is no record, yet the offset after it is the end: it is reached, and
    again after the topic was quiet."""
    backend, table, clock = KafkaBackend(kafka_broker.bootstrap), Table(), Clock()
    with closing(backend):
        topic = backend.topic(2)
        producer = backend.log.producer(backend.name("writer"))
        follower = Follower(
            lambda: reader_of(backend.log, topic), table.apply, lambda: clock.monotonic_s
        )
        follower.start()
        try:
            for value in (b"1", b"2"):
                producer.send_transaction([OutputRecord(topic, b"k", value, 1.0, partition=0)], {})
                until(lambda value=value: table.values[-1:] == [value])  # type: ignore[misc]
                clock.forward(100.0)
                until(lambda: follower.staleness_s() == 0.0)
        finally:
            follower.stop()
    assert table.values == [b"1", b"2"]


def test_over_kafka_a_broker_that_is_away_is_told_and_tried_again() -> None:
    """Nobody listens at the address: an error in words, no end known, and `stop` comes back."""
    log = KafkaLog(KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}"), connect_timeout_s=0.5)
    table, clock = Table(), Clock()
    with closing(log), following(log, table, clock) as follower:
        until(lambda: follower.error is not None)
        assert "does not answer" in str(follower.error)
        assert not follower.caught_up
