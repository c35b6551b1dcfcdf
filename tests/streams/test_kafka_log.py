"""Real Kafka passes the suite of all logs, and what only a real broker has."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError, NetworkExceptionError, RequestTimedOutError
from kafka.partitioner.default import DefaultPartitioner
from kafka.structs import TopicPartition as KafkaPartition

from streams.kafka_errors import log_error
from streams.kafka_log import KafkaLog, log_from
from streams.kafka_settings import KafkaSettings
from streams.log import (
    Fenced,
    Log,
    LogConsumer,
    LogError,
    LogProducer,
    LogReader,
    OffsetOutOfRange,
    OutputRecord,
    RecordRefused,
    TopicPartition,
    UnknownTopic,
    Unreachable,
)
from streams.partitioner import partition_for
from tests.services.kafka import KafkaBroker
from tests.services.required import unavailable
from tests.streams.kafka_backend import KafkaBackend
from tests.streams.log_behaviour import T0_S, LogBehaviour, Moves, all_of, drain, outputs

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
BIG = 10 * 1024 * 1024


def noise(size: int) -> bytes:
    """Bytes that no codec makes smaller."""
    return np.random.default_rng(size).bytes(size)


def poll_often(reader: LogReader) -> None:
    """Polls for five seconds: for what happens in one of the next polls."""
    for _ in range(50):
        reader.poll(10, 0.1)


@pytest.fixture
def backend(kafka_broker: KafkaBroker) -> Iterator[KafkaBackend]:
    """A log on the run's broker; its clients are closed afterwards."""
    backend = KafkaBackend(kafka_broker.bootstrap)
    yield backend
    backend.close()


class TestKafkaLog(LogBehaviour):
    """The common suite on a real broker."""


def test_kafka_has_the_shape_of_the_protocols(backend: KafkaBackend) -> None:
    """The type checker holds each class to its protocol; at run time the calls exist."""
    log: Log = log_from(backend.settings)
    assert isinstance(log, KafkaLog)
    log.close()
    topic = backend.topic(1)
    consumer: LogConsumer = backend.log.consumer(backend.name("g"), [topic], member_id="a")
    reader: LogReader = backend.log.reader(all_of(topic, 1))
    producer: LogProducer = backend.log.producer()
    assert consumer.assignment() == frozenset()
    assert reader.positions() == reader.end_offsets() == {TopicPartition(topic, 0): 0}
    producer.send([])


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_written_and_read(kafka_broker: KafkaBroker, codec: str) -> None:
    """What one writes in any codec is read as it was; so is a 10 MB record in it."""
    backend = KafkaBackend(kafka_broker.bootstrap, compression=codec)
    topic = backend.topic(1, max_message_bytes=str(16 * 1024 * 1024))
    big = noise(BIG)
    written = [b"a" * 2000, big, b"", b"b"]
    backend.log.producer().send([OutputRecord(topic, b"k", value, T0_S) for value in written])
    records = drain(backend.log.reader(all_of(topic, 1)), 4, 2.0)
    assert [record.value for record in records] == written
    backend.close()


@pytest.mark.parametrize("codec", CODECS)
def test_a_foreign_producer_is_read_in_every_codec(backend: KafkaBackend, codec: str) -> None:
    """kcat (librdkafka) compresses in its own way: many small records and one of 10 MB."""
    if shutil.which("kcat") is None:
        unavailable("kcat", "install it (on Debian: apt-get install kcat)")
    topic = backend.topic(1, max_message_bytes=str(16 * 1024 * 1024))
    lines = [b"key:%d " % i + b"x" * 500 for i in range(3000)]
    big = b"key:" + noise(BIG // 2).hex().encode()
    command = ["kcat", "-P", "-q", "-b", backend.settings.bootstrap, "-t", topic, "-p", "0"]
    options = ["-K", ":", "-z", codec, "-X", "message.max.bytes=16000000"]
    stdin = b"\n".join([*lines, big]) + b"\n"
    subprocess.run([*command, *options], input=stdin, check=True, timeout=60)
    records = drain(backend.log.reader(all_of(topic, 1)), 3001, 2.0)
    assert [b"key:" + record.value for record in records] == [*lines, big]
    assert {record.key for record in records} == {b"key"}


def test_the_partitioner_is_kafka_pythons_for_every_key() -> None:
    """A foreign producer and Stillwatch put an account on the same partition."""
    rng = np.random.default_rng(7)
    theirs = DefaultPartitioner()
    for length in (*range(40), 255, 1000):
        key = rng.bytes(length)
        count = int(rng.integers(1, 65))
        theirs_is = theirs.partition("t", key, key, b"", b"", _Cluster(count))
        assert partition_for(key, count) == theirs_is


class _Cluster:
    """What kafka-python's partitioner asks for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return set(range(self._count))

    def available_partitions_for_topic(self, _topic: str) -> set[int]:
        return set(range(self._count))


def test_an_aborted_transaction_is_never_seen(backend: KafkaBackend) -> None:
    """Records of an aborted transaction take offsets; readers pass over them to the end."""
    topic = backend.topic(1)
    only = TopicPartition(topic, 0)
    foreign = KafkaProducer(
        bootstrap_servers=backend.settings.bootstrap, transactional_id=backend.name("aborts")
    )
    foreign.init_transactions()
    foreign.begin_transaction()
    foreign.send(topic, b"never", b"k", partition=0).get(10)
    reader = backend.log.reader([only])
    assert reader.poll(10, 0.2) == []
    assert reader.end_offsets() == {only: 0}
    foreign.abort_transaction()
    foreign.close()
    backend.log.producer(backend.name("commits")).send_transaction(outputs(topic, 2), {})
    records = drain(reader, 2, 1.0)
    assert [record.offset for record in records] == [2, 3]
    assert reader.poll(10, 0.2) == []
    assert reader.positions() == reader.end_offsets() == {only: 5}


def test_positions_reach_the_end_over_transaction_markers(backend: KafkaBackend) -> None:
    """Markers leave gaps in the offsets: who polls an empty answer stands at the end offset."""
    topic = backend.topic(3)
    producer = backend.log.producer(backend.name("gaps"))
    for number in range(4):
        producer.send_transaction(outputs(topic, 9)[number:], {})
    reader = backend.log.reader(all_of(topic, 3))
    assert len(drain(reader, 9 + 8 + 7 + 6, 1.0)) == 30
    for _ in range(10):
        if reader.positions() == reader.end_offsets():
            break
        assert reader.poll(10, 0.2) == []
    assert reader.positions() == reader.end_offsets()


class _Interrupted(Sequence[OutputRecord]):
    """Outputs that, half sent, see another producer take over."""

    def __init__(self, records: Sequence[OutputRecord], backend: KafkaBackend, name: str) -> None:
        self._records, self._backend, self._name = records, backend, name
        self._passes = 0

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> OutputRecord:  # type: ignore[override]
        return self._records[index]

    def __iter__(self) -> Iterator[OutputRecord]:
        yield self._records[0]
        self._backend.log.producer(self._name)
        yield from self._records[1:]


def test_a_fenced_producer_stays_fenced(backend: KafkaBackend) -> None:
    """Fenced in mid call: nothing of it is seen, and it neither writes nor fences ever after."""
    out = backend.topic(1)
    name = backend.name("fenced")
    older = backend.log.producer(name)
    older.send_transaction(outputs(out, 1), {})
    with pytest.raises(Fenced):
        older.send_transaction(_Interrupted(outputs(out, 4), backend, name), {})
    with pytest.raises(Fenced):
        older.send_transaction(outputs(out, 1), {})
    newest = backend.log.producer(name)
    newest.send_transaction(outputs(out, 2), {})
    with pytest.raises(Fenced):
        older.send_transaction(outputs(out, 1), {})
    newest.send_transaction(outputs(out, 3), {})
    reader = backend.log.reader(all_of(out, 1))
    assert len(drain(reader, 6, 1.0)) == 6
    assert reader.poll(1, 0.2) == []


@pytest.mark.parametrize("stale", ["generation", "member"])
def test_refused_offsets_do_not_come_with_the_next_transaction(
    backend: KafkaBackend, stale: str
) -> None:
    """A transaction that the group refuses, as after a rebalance, moves no offset: not then, and
    not with the next transaction of the same producer, which has offsets of its own. Else input
    would count as handled whose outputs were aborted."""
    topic, out, group = backend.topic(2), backend.topic(1), backend.name("group")
    backend.log.producer().send(outputs(topic, 6))
    member = backend.log.consumer(group, [topic], member_id="a")
    drain(member, 6, 1.0)
    first, second = all_of(topic, 2)
    present = member.group_metadata()
    old = replace(present, generation=present.generation - 1)
    if stale == "member":
        old = replace(present, member_id="nobody")
    producer = backend.log.producer(backend.name("refused"))
    with pytest.raises(Fenced):
        producer.send_transaction(outputs(out, 1), {first: 2}, old)
    assert member.committed() == {first: None, second: None}
    producer.send_transaction(outputs(out, 3), {second: 1}, present)
    assert member.committed() == {first: None, second: 1}
    reader = backend.log.reader(all_of(out, 1))
    assert len(drain(reader, 3, 1.0)) == 3
    assert reader.poll(1, 0.2) == []


def test_a_member_that_was_thrown_out_is_told_by_poll(backend: KafkaBackend) -> None:
    """Its poll raises Fenced, for good; its partitions are another's."""
    topic, group = backend.topic(2), backend.name("group")
    backend.log.producer().send(outputs(topic, 6))
    moves = Moves()
    member = backend.log.consumer(group, [topic], member_id="a", listener=moves)
    assert len(drain(member, 6, 1.0)) == 6
    backend.freeze(group, "a")
    with pytest.raises(Fenced):
        poll_often(member)
    with pytest.raises(Fenced):
        member.poll(1, 0.1)
    with pytest.raises(Fenced):
        member.commit({TopicPartition(topic, 0): 1})
    heir = backend.log.consumer(group, [topic], member_id="b")
    assert len(drain(heir, 6, 1.0)) == 6
    assert moves.revoked == []


class _Committing(Moves):
    """A listener that commits what it has read when it loses a partition, and looks around."""

    consumer: LogConsumer
    at_assignment: dict[TopicPartition, int]

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        super().on_revoked(partitions)
        positions = self.consumer.positions()
        self.consumer.commit({tp: positions[tp] for tp in partitions})

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        super().on_assigned(partitions)
        positions = self.consumer.positions()
        self.at_assignment = {tp: positions[tp] for tp in partitions}


def test_a_listener_can_commit_what_it_loses(backend: KafkaBackend) -> None:
    """The heir of a revoked partition starts where its last owner stopped: nothing comes twice."""
    topic, group = backend.topic(4), backend.name("group")
    backend.log.producer().send(
        [OutputRecord(topic, b"k", b"%d" % i, T0_S, partition=i % 4) for i in range(40)]
    )
    listener = _Committing()
    first = listener.consumer = backend.log.consumer(
        group, [topic], member_id="a", listener=listener
    )
    assert len(drain(first, 40, 1.0)) == 40
    assert set(listener.at_assignment.values()) == {0}
    second_listener = _Committing()
    second = second_listener.consumer = backend.log.consumer(
        group, [topic], member_id="b", listener=second_listener
    )
    for _ in range(100):
        assert second.poll(10, 0.1) == []
        assert first.poll(10, 0.1) == []
        if len(second.assignment()) == 2:
            break
    assert set(listener.revoked) == second.assignment()
    assert second_listener.at_assignment == dict.fromkeys(second.assignment(), 10)


class _Failing(Moves):
    """A listener that fails."""

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        raise RuntimeError("the state cannot be built")


def test_what_a_listener_raises_comes_out_of_poll(backend: KafkaBackend) -> None:
    """An owner hears of its own bug, unchanged."""
    topic = backend.topic(1)
    consumer = backend.log.consumer(
        backend.name("group"), [topic], member_id="a", listener=_Failing()
    )
    with pytest.raises(RuntimeError, match="the state cannot be built"):
        poll_often(consumer)


def test_a_resumed_partition_is_always_read_again(backend: KafkaBackend) -> None:
    """Pausing any partition between polls of any size loses nothing and repeats nothing.

    kafka-python 3.0.12 alone never fetches a partition again that was paused while it held
    records of it and another was read to its end meanwhile.
    """
    topic = backend.topic(3)
    backend.log.producer().send(
        [OutputRecord(topic, b"k", b"%d" % i, T0_S, partition=i % 3) for i in range(300)]
    )
    partitions = all_of(topic, 3)
    consumer = backend.log.consumer(backend.name("group"), [topic], member_id="a")
    first = drain(consumer, 1, 0.3)  # only what is assigned can be paused
    seen = [(record.partition, record.offset) for record in first]
    rng = np.random.default_rng(3)
    idle = 0
    while len(seen) < 300 and idle < 100:
        order = rng.permutation(3)[: rng.integers(1, 3)]
        paused = [partitions[number] for number in order]
        consumer.pause(paused)
        for _ in range(3):
            batch = consumer.poll(int(rng.integers(1, 21)), 0.05)
            idle = 0 if batch else idle + 1
            seen.extend((record.partition, record.offset) for record in batch)
            assert not {record.partition for record in batch} & {tp.partition for tp in paused}
        consumer.resume(paused)
    assert sorted(seen) == [(number, offset) for number in range(3) for offset in range(100)]
    for number in range(3):
        assert [offset for partition, offset in seen if partition == number] == list(range(100))


def test_a_record_too_large_is_refused_and_nothing_of_its_transaction_stays(
    kafka_broker: KafkaBroker,
) -> None:
    """Over our bound it is refused before anything is sent; over the topic's, by the broker."""
    backend = KafkaBackend(kafka_broker.bootstrap, max_record_bytes=200_000)
    topic = backend.topic(1, max_message_bytes="100000")
    producer = backend.log.producer(backend.name("large"))
    plain = backend.log.producer()
    for size in (300_000, 150_000):
        large = OutputRecord(topic, b"k", noise(size), T0_S)
        with pytest.raises(RecordRefused) as caught:
            producer.send_transaction([*outputs(topic, 2), large], {})
        assert caught.value.topic == topic
        with pytest.raises(RecordRefused):
            plain.send([large])
    with pytest.raises(RecordRefused):
        plain.send([OutputRecord(topic, b"k", b"v", -1.0)])
    with pytest.raises(RecordRefused):
        plain.send([OutputRecord(topic, None, None, T0_S)])
    with pytest.raises(UnknownTopic):
        plain.send([OutputRecord(topic, b"k", b"v", T0_S, partition=1)])
    producer.send_transaction(outputs(topic, 3), {})
    plain.send(outputs(topic, 1))
    reader = backend.log.reader(all_of(topic, 1))
    assert len(drain(reader, 4, 1.0)) == 4
    assert reader.poll(1, 0.2) == []
    backend.close()


def test_a_position_outside_the_log_is_told(backend: KafkaBackend) -> None:
    """Deleted records and the future: OffsetOutOfRange with the place, until one seeks."""
    topic = backend.topic(1)
    only = TopicPartition(topic, 0)
    backend.log.producer().send(outputs(topic, 10))
    backend.admin.delete_records({KafkaPartition(topic, 0): 4})
    reader = backend.log.reader([only])
    assert reader.positions() == {only: 4}
    for offset in (1, 99):
        reader.seek(only, offset)
        with pytest.raises(OffsetOutOfRange) as caught:
            poll_often(reader)
        assert (caught.value.topic, caught.value.offset) == (topic, offset)
        assert reader.positions() == {only: offset}
    reader.seek(only, 8)
    assert [record.offset for record in drain(reader, 2, 1.0)] == [8, 9]


def test_a_broker_that_is_not_there_is_a_sentence_that_says_what_to_do(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The address, and both remedies; kafka-python's own log is not on anybody's terminal."""
    log = KafkaLog(KafkaSettings(bootstrap="127.0.0.1:1"), connect_timeout_s=0.3)
    for call in (
        lambda: log.partitions_for("t"),
        log.producer,
        lambda: log.producer("x"),
        lambda: log.reader([TopicPartition("t", 0)]),
        lambda: log.consumer("g", ["t"], member_id="a"),
    ):
        with pytest.raises(LogError, match=r"127\.0\.0\.1:1 .*start the broker, or correct"):
            call()
    with pytest.raises(LogError, match="not host:port"):
        KafkaLog(KafkaSettings(bootstrap="broker:x")).partitions_for("t")
    assert logging.getLogger("kafka").handlers
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "error",
    [
        RequestTimedOutError("Request timed out after 29999 ms"),
        NetworkExceptionError("disconnected"),
        KafkaError(
            "Could not execute transactional request for unknown reasons: [Error 7] "
            "RequestTimedOutError: Request timed out after 5999 ms"
        ),
    ],
)
def test_requests_that_a_frozen_broker_leaves_unanswered_are_an_outage(error: KafkaError) -> None:
    """The connection stands and nothing comes: waited for, as a broker that is gone."""
    told = log_error(error, "writing", "kafka:1")
    assert isinstance(told, Unreachable)
    assert "Kafka at kafka:1 does not answer" in str(told)
