"""The in-process log passes the suite of all logs, and is deterministic and bounded besides."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.log import (
    Log,
    LogConsumer,
    LogError,
    LogFull,
    LogProducer,
    LogReader,
    LogRecord,
    OffsetOutOfRange,
    OutputRecord,
    RecordRefused,
    TopicPartition,
)
from streams.memory_clients import MemoryConsumer, MemoryProducer, MemoryReader
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from tests.streams.log_behaviour import T0_S, LogBehaviour, all_of, drain, outputs


@dataclass
class MemoryBackend:
    """The twin under test."""

    log: MemoryLog = field(default_factory=MemoryLog)
    timeout_s: float = 0.0
    made: int = 0

    def topic(self, partitions: int) -> str:
        self.made += 1
        name = f"topic-{self.made}"
        self.log.create_topic(name, TopicSettings(partitions=partitions))
        return name

    def freeze(self, group_id: str, member_id: str) -> None:
        self.log.expire_member(group_id, member_id)


class TestMemoryLog(LogBehaviour):
    """The common suite on the twin."""

    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()


def _log(settings: TopicSettings, topic: str = "t") -> MemoryLog:
    log = MemoryLog()
    log.create_topic(topic, settings)
    return log


def test_the_twin_has_the_shape_of_the_protocols() -> None:
    """The type checker holds each class to its protocol; at run time the calls exist."""
    log: Log = _log(TopicSettings())
    consumer: LogConsumer = log.consumer("g", ["t"], member_id="a")
    reader: LogReader = log.reader([TopicPartition("t", 0)])
    producer: LogProducer = log.producer()
    assert isinstance(consumer, MemoryConsumer)
    assert isinstance(reader, MemoryReader)
    assert isinstance(producer, MemoryProducer)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 6))
def test_any_cut_of_polls_gives_the_order_of_writing(cuts: list[int], partitions: int) -> None:
    """Over all partitions, whatever the sizes of the polls, records come as they were written."""
    log = _log(TopicSettings(partitions=partitions))
    log.producer().send(outputs("t", 50))
    consumer = log.consumer("g", ["t"], member_id="a")
    records: list[LogRecord] = []
    for size in cuts:
        records.extend(consumer.poll(size, 0.0))
    records.extend(consumer.poll(50, 0.0))
    assert [record.timestamp_s for record in records] == [T0_S + i for i in range(50)]


def test_a_full_partition_pushes_back_until_its_readers_commit() -> None:
    """LogFull writes nothing of a transaction; committed records then make the room."""
    log = _log(TopicSettings(max_records=4))
    producer = log.producer()
    consumer = log.consumer("g", ["t"], member_id="a")
    producer.send(outputs("t", 4))
    assert len(consumer.poll(4, 0.0)) == 4
    with pytest.raises(LogFull) as caught:
        log.producer("tx").send_transaction(outputs("t", 2), {})
    assert (caught.value.topic, caught.value.partition, caught.value.offset) == ("t", 0, 4)
    assert consumer.end_offsets() == {TopicPartition("t", 0): 4}
    consumer.commit({TopicPartition("t", 0): 2})
    log.producer("tx").send_transaction(outputs("t", 2), {})
    assert [record.offset for record in consumer.poll(9, 0.0)] == [4, 5]
    with pytest.raises(LogFull):
        producer.send(outputs("t", 1))


def test_a_slow_second_group_holds_records_back() -> None:
    """Room is made only past the slowest group, so no group ever loses a record."""
    log = _log(TopicSettings(max_records=2))
    fast = log.consumer("fast", ["t"], member_id="a")
    slow = log.consumer("slow", ["t"], member_id="a")
    log.producer().send(outputs("t", 2))
    fast.poll(2, 0.0)
    fast.commit(fast.positions())
    with pytest.raises(LogFull):
        log.producer().send(outputs("t", 1))
    assert len(slow.poll(2, 0.0)) == 2
    slow.commit(slow.positions())
    log.producer().send(outputs("t", 1))
    assert len(slow.poll(2, 0.0)) == 1


def test_a_topic_that_drops_keeps_the_newest_and_says_so_to_a_late_reader() -> None:
    """A new reader starts at the earliest record; one that fell behind is told, not skipped."""
    log = _log(TopicSettings(max_records=3, when_full="drop_oldest"))
    behind = log.reader(all_of("t", 1))
    log.producer().send(outputs("t", 5))
    assert [record.offset for record in log.reader(all_of("t", 1)).poll(9, 0.0)] == [2, 3, 4]
    with pytest.raises(OffsetOutOfRange) as caught:
        behind.poll(9, 0.0)
    assert caught.value.offset == 0
    behind.seek(TopicPartition("t", 0), 2)
    assert len(behind.poll(9, 0.0)) == 3


@pytest.mark.parametrize("time_s", [-1.0, float("nan"), float("inf"), 1e300])
def test_impossible_times_are_refused(time_s: float) -> None:
    """No record gets a time that no log can store, and the others of its transaction neither."""
    log = _log(TopicSettings())
    with pytest.raises(RecordRefused):
        log.producer("tx").send_transaction(
            [*outputs("t", 1), OutputRecord("t", b"k", b"v", time_s)], {}
        )
    assert log.reader(all_of("t", 1)).poll(1, 0.0) == []


def test_too_large_records_are_refused() -> None:
    """Key and value together count, as for a broker."""
    log = _log(TopicSettings(max_record_bytes=10))
    log.producer().send([OutputRecord("t", b"k" * 4, b"v" * 6, T0_S)])
    with pytest.raises(RecordRefused):
        log.producer().send([OutputRecord("t", b"k" * 4, b"v" * 7, T0_S)])


def test_keyless_records_take_turns_and_a_refused_write_takes_none() -> None:
    """Spread evenly and repeatably: a failed transaction does not shift the next one."""
    log = _log(TopicSettings(partitions=3))
    keyless = [OutputRecord("t", None, b"v", T0_S) for _ in range(4)]
    with pytest.raises(RecordRefused):
        log.producer("tx").send_transaction([*keyless, OutputRecord("t", None, b"", -1.0)], {})
    log.producer().send(keyless)
    records = log.reader(all_of("t", 3)).poll(9, 0.0)
    assert [record.partition for record in records] == [0, 1, 2, 0]


def test_offsets_past_the_end_are_refused() -> None:
    """Committing what was never written would lose the records to come."""
    log = _log(TopicSettings())
    consumer = log.consumer("g", ["t"], member_id="a")
    consumer.poll(1, 0.0)
    with pytest.raises(OffsetOutOfRange):
        consumer.commit({TopicPartition("t", 0): 1})


def test_a_waiting_poll_wakes_up_for_a_record() -> None:
    """A poll with a timeout returns the record another thread writes, well before the timeout."""
    log = _log(TopicSettings())
    consumer = log.consumer("g", ["t"], member_id="a")
    consumer.poll(1, 0.0)
    writer = threading.Timer(0.05, lambda: log.producer().send(outputs("t", 1)))
    writer.start()
    assert len(consumer.poll(1, 30.0)) == 1
    writer.join()


def test_misuse_is_said() -> None:
    """A second topic or member of a name, a poll of nothing, a closed consumer, bounds of 0."""
    log = _log(TopicSettings())
    with pytest.raises(LogError):
        log.create_topic("t")
    with pytest.raises(ValueError, match="at least 1"):
        log.create_topic("u", TopicSettings(partitions=0))
    consumer = log.consumer("g", ["t"], member_id="a")
    with pytest.raises(LogError):
        log.consumer("g", ["t"], member_id="a")
    with pytest.raises(ValueError, match="max_records"):
        consumer.poll(0, 0.0)
    consumer.close()
    consumer.close()
    with pytest.raises(LogError):
        consumer.poll(1, 0.0)


def test_a_reader_on_two_partitions_sees_what_a_group_sees() -> None:
    """Silent replay reads the same records as the group did."""
    log = _log(TopicSettings(partitions=2))
    log.producer().send(outputs("t", 20))
    group = drain(log.consumer("g", ["t"], member_id="a"), 20, 0.0, size=7)
    assert drain(log.reader(all_of("t", 2)), 20, 0.0, size=3) == group
