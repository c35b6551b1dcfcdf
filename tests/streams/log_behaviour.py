"""What every log must do: one suite for the in-process twin and for real Kafka.

A test module makes a subclass of `LogBehaviour` whose `backend` fixture gives a `Backend`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from streams.log import (
    Fenced,
    Log,
    LogError,
    LogReader,
    LogRecord,
    OutputRecord,
    TopicPartition,
    UnknownTopic,
)
from streams.partitioner import partition_for

T0_S = 1_750_000_000.0


class Backend(Protocol):
    """A log under test."""

    @property
    def log(self) -> Log:
        """The log."""

    @property
    def timeout_s(self) -> float:
        """How long one poll may wait; 0 where nothing is ever late."""

    def topic(self, partitions: int) -> str:
        """Makes a topic with a name of its own."""

    def freeze(self, group_id: str, member_id: str) -> None:
        """Has the group throw a member out that was silent for too long."""


@dataclass
class Moves:
    """A listener that writes down what it is told."""

    assigned: list[TopicPartition] = field(default_factory=list)
    revoked: list[TopicPartition] = field(default_factory=list)

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.revoked.extend(partitions)

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.assigned.extend(partitions)


def outputs(topic: str, count: int, accounts: int = 7) -> list[OutputRecord]:
    """`count` records of some accounts, a second apart."""
    return [
        OutputRecord(topic, b"acct-%d" % (i % accounts), b'{"i":%d}' % i, T0_S + i)
        for i in range(count)
    ]


def drain(reader: LogReader, count: int, timeout_s: float, size: int = 1000) -> list[LogRecord]:
    """Polls until `count` records came, or ten polls in a row gave none."""
    records: list[LogRecord] = []
    empty = 0
    while len(records) < count and empty < 10:
        batch = reader.poll(min(size, count - len(records)), timeout_s)
        empty = 0 if batch else empty + 1
        records.extend(batch)
    return records


def all_of(topic: str, partitions: int) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(partitions)]


class LogBehaviour:
    """The suite."""

    def test_a_record_comes_back_as_written(self, backend: Backend) -> None:
        """Key, value, time (whole milliseconds) and headers survive, a tombstone is one."""
        topic = backend.topic(1)
        backend.log.producer().send(
            [
                OutputRecord(topic, b"k", b"v", T0_S + 0.1234, (("h", b"\x00\xff"),)),
                OutputRecord(topic, b"k", None, T0_S + 1),
                OutputRecord(topic, b"k", b"", T0_S + 2),
            ]
        )
        first, gone, empty = drain(backend.log.reader(all_of(topic, 1)), 3, backend.timeout_s)
        assert (first.topic, first.partition, first.offset) == (topic, 0, 0)
        assert (first.key, first.value, first.headers) == (b"k", b"v", (("h", b"\x00\xff"),))
        assert first.timestamp_s == T0_S + 0.123
        assert not first.tombstone
        assert gone.tombstone
        assert gone.value == b""
        assert not empty.tombstone
        assert empty.value == b""

    def test_keys_choose_partitions_and_order_holds_in_each(self, backend: Backend) -> None:
        """A key's records lie in the partition Kafka's partitioner names, in order of writing."""
        topic = backend.topic(4)
        backend.log.producer().send(outputs(topic, 60))
        assert backend.log.partitions_for(topic) == 4
        records = drain(backend.log.reader(all_of(topic, 4)), 60, backend.timeout_s)
        assert len(records) == 60
        for record in records:
            assert record.key is not None
            assert record.partition == partition_for(record.key, 4)
        for number in range(4):
            own = [record for record in records if record.partition == number]
            assert [record.offset for record in own] == list(range(len(own)))
            times = [record.timestamp_s for record in own]
            assert times == sorted(times)

    def test_partition_key_wins_over_key_and_partition_over_both(self, backend: Backend) -> None:
        """A verdict keyed by scope lies with its account; an explicit partition is obeyed."""
        topic = backend.topic(8)
        apart = next(n for n in range(8) if n != partition_for(b"account", 8))
        backend.log.producer().send(
            [
                OutputRecord(topic, b"tenant/key/1", b"a", T0_S, partition_key=b"account"),
                OutputRecord(topic, b"account", b"b", T0_S, partition=apart),
            ]
        )
        records = drain(backend.log.reader(all_of(topic, 8)), 2, backend.timeout_s)
        places = {record.value: record.partition for record in records}
        assert places == {b"a": partition_for(b"account", 8), b"b": apart}

    def test_a_poll_never_exceeds_its_size_and_moves_the_position(self, backend: Backend) -> None:
        """Polls of 3 give 3 at most; positions count what was returned, nothing is committed."""
        topic = backend.topic(2)
        backend.log.producer().send(outputs(topic, 10))
        consumer = backend.log.consumer("sizes", [topic], member_id="a")
        seen: list[LogRecord] = []
        while len(seen) < 10:
            batch = consumer.poll(3, backend.timeout_s)
            assert len(batch) <= 3
            seen.extend(batch)
        ends = consumer.end_offsets()
        assert consumer.positions() == ends
        assert sum(ends.values()) == 10
        assert set(consumer.committed().values()) == {None}
        assert consumer.poll(3, 0.0) == []
        consumer.close()

    def test_commits_outlive_the_consumer_and_positions_do_not(self, backend: Backend) -> None:
        """A successor starts at the committed offset, not where the last one had read to."""
        topic = backend.topic(1)
        only = TopicPartition(topic, 0)
        backend.log.producer().send(outputs(topic, 10))
        first = backend.log.consumer("heirs", [topic], member_id="a")
        assert len(drain(first, 8, backend.timeout_s)) == 8
        first.commit({only: 5})
        assert first.committed() == {only: 5}
        assert first.positions() == {only: 8}
        first.close()
        second = backend.log.consumer("heirs", [topic], member_id="b")
        assert [r.offset for r in drain(second, 5, backend.timeout_s)] == [5, 6, 7, 8, 9]
        second.close()

    def test_groups_do_not_share_offsets(self, backend: Backend) -> None:
        """Another group reads from the start whatever the first has committed."""
        topic = backend.topic(1)
        backend.log.producer().send(outputs(topic, 4))
        for group in ("one", "two"):
            consumer = backend.log.consumer(group, [topic], member_id="a")
            assert len(drain(consumer, 4, backend.timeout_s)) == 4
            consumer.commit(consumer.positions())
            consumer.close()

    def test_outputs_and_offsets_appear_together(self, backend: Backend) -> None:
        """After a transaction the outputs are readable and the input offsets are committed."""
        topic, out = backend.topic(2), backend.topic(2)
        backend.log.producer().send(outputs(topic, 6))
        consumer = backend.log.consumer("worker", [topic], member_id="a")
        drain(consumer, 6, backend.timeout_s)
        producer = backend.log.producer("worker-a")
        producer.send_transaction(outputs(out, 3), consumer.positions(), consumer.group_metadata())
        assert consumer.committed() == consumer.positions()
        assert len(drain(backend.log.reader(all_of(out, 2)), 3, backend.timeout_s)) == 3
        consumer.close()

    def test_a_refused_transaction_leaves_nothing(self, backend: Backend) -> None:
        """One output to a topic that does not exist: no output is readable, no offset moved."""
        topic, out = backend.topic(1), backend.topic(1)
        only = TopicPartition(topic, 0)
        backend.log.producer().send(outputs(topic, 2))
        consumer = backend.log.consumer("refused", [topic], member_id="a")
        drain(consumer, 2, backend.timeout_s)
        producer = backend.log.producer("refused-a")
        bad = [*outputs(out, 2), OutputRecord(f"{out}.missing", b"k", b"v", T0_S)]
        with pytest.raises(UnknownTopic) as caught:
            producer.send_transaction(bad, {only: 2}, consumer.group_metadata())
        assert caught.value.topic == f"{out}.missing"
        assert consumer.committed() == {only: None}
        assert backend.log.reader(all_of(out, 1)).poll(10, backend.timeout_s) == []
        producer.send_transaction(outputs(out, 2), {only: 2}, consumer.group_metadata())
        assert len(drain(backend.log.reader(all_of(out, 1)), 2, backend.timeout_s)) == 2
        consumer.close()

    def test_a_newer_producer_fences_the_older(self, backend: Backend) -> None:
        """Two producers with one transactional id: the older writes nothing more."""
        out = backend.topic(1)
        older = backend.log.producer("twin")
        newer = backend.log.producer("twin")
        with pytest.raises(Fenced):
            older.send_transaction(outputs(out, 1), {})
        newer.send_transaction(outputs(out, 2), {})
        assert len(drain(backend.log.reader(all_of(out, 1)), 2, backend.timeout_s)) == 2
        assert backend.log.reader(all_of(out, 1)).end_offsets()[TopicPartition(out, 0)] >= 2

    def test_a_lost_member_commits_nothing(self, backend: Backend) -> None:
        """A member thrown out of its group is fenced: no outputs, no offsets, no double work."""
        topic, out = backend.topic(1), backend.topic(1)
        only = TopicPartition(topic, 0)
        backend.log.producer().send(outputs(topic, 3))
        frozen = backend.log.consumer("frozen", [topic], member_id="a")
        drain(frozen, 3, backend.timeout_s)
        metadata = frozen.group_metadata()
        backend.freeze("frozen", "a")
        heir = backend.log.consumer("frozen", [topic], member_id="b")
        assert len(drain(heir, 3, backend.timeout_s)) == 3
        with pytest.raises(Fenced):
            backend.log.producer("frozen-a").send_transaction(outputs(out, 1), {only: 3}, metadata)
        assert heir.committed() == {only: None}
        assert backend.log.reader(all_of(out, 1)).poll(1, backend.timeout_s) == []
        heir.close()

    def test_transactions_and_plain_sends_do_not_mix(self, backend: Backend) -> None:
        """A producer is one or the other, and offsets need their group."""
        out = backend.topic(1)
        with pytest.raises(LogError):
            backend.log.producer("mixed").send(outputs(out, 1))
        with pytest.raises(LogError):
            backend.log.producer().send_transaction(outputs(out, 1), {})
        with pytest.raises(LogError):
            backend.log.producer("mixed").send_transaction([], {TopicPartition(out, 0): 0})

    def test_partitions_move_cooperatively(self, backend: Backend) -> None:
        """A second member takes half; the first keeps the other half and is told what it lost."""
        topic = backend.topic(4)
        moves, others = Moves(), Moves()
        first = backend.log.consumer("moves", [topic], member_id="a", listener=moves)
        first.poll(1, backend.timeout_s)
        for _ in range(20):
            if len(first.assignment()) == 4:
                break
            first.poll(1, backend.timeout_s)
        assert sorted(moves.assigned) == all_of(topic, 4)
        second = backend.log.consumer("moves", [topic], member_id="b", listener=others)
        for _ in range(60):
            second.poll(1, backend.timeout_s)
            first.poll(1, backend.timeout_s)
            if len(second.assignment()) == 2:
                break
        assert first.assignment() | second.assignment() == set(all_of(topic, 4))
        assert not first.assignment() & second.assignment()
        assert set(moves.revoked) == second.assignment() == set(others.assigned)
        first.close()
        for _ in range(60):
            second.poll(1, backend.timeout_s)
            if len(second.assignment()) == 4:
                break
        assert second.assignment() == set(all_of(topic, 4))
        second.close()

    def test_pause_seek_resume(self, backend: Backend) -> None:
        """A paused partition gives nothing, another does; seek repeats records exactly."""
        topic = backend.topic(2)
        zero, one = all_of(topic, 2)
        backend.log.producer().send(
            [OutputRecord(topic, b"k", b"%d" % i, T0_S + i, partition=i % 2) for i in range(8)]
        )
        consumer = backend.log.consumer("pauses", [topic], member_id="a")
        before = drain(consumer, 8, backend.timeout_s)
        consumer.pause([zero])
        consumer.seek(zero, 0)
        consumer.seek(one, 2)
        assert [r.value for r in drain(consumer, 2, backend.timeout_s)] == [b"5", b"7"]
        assert consumer.poll(10, 0.0) == []
        consumer.resume([zero])
        again = drain(consumer, 4, backend.timeout_s)
        assert again == [record for record in before if record.partition == 0]
        with pytest.raises(UnknownTopic):
            consumer.seek(TopicPartition(topic, 2), 0)
        consumer.close()

    def test_unknown_topics_are_named(self, backend: Backend) -> None:
        """Reading or writing a topic that does not exist raises, with its name."""
        missing = f"{backend.topic(1)}.missing"
        with pytest.raises(UnknownTopic) as caught:
            backend.log.consumer("lost", [missing], member_id="a")
        assert caught.value.topic == missing
        with pytest.raises(UnknownTopic):
            backend.log.reader([TopicPartition(missing, 0)])
        with pytest.raises(UnknownTopic):
            backend.log.producer().send(outputs(missing, 1))
        with pytest.raises(UnknownTopic):
            backend.log.partitions_for(missing)
