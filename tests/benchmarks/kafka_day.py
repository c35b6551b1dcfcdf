"""A real broker on the other cores, with every topic and the composed day in four partitions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.kafka_topics import create_topics
from streams.log import OutputRecord, TopicPartition
from streams.topics import TopicSpec, topic_specs
from tests.benchmarks.cores import on, others
from tests.benchmarks.recorded_day import RecordedDay, read_requests
from tests.services.kafka import shared_broker, stop_shared_broker

PARTITIONS = 4
INPUT = "llm.requests"


class Unavailable(Exception):
    """A measurement cannot be made here; the text says what is missing and how to get it."""


@dataclass(frozen=True, slots=True)
class KafkaDay:
    """A running broker and what is on it.

    Attributes:
        count: records of the input topic.
    """

    bootstrap: str
    log: KafkaLog
    count: int

    @property
    def partitions(self) -> list[TopicPartition]:
        """Of the input topic."""
        return [TopicPartition(INPUT, number) for number in range(PARTITIONS)]

    def add_topic(self, name: str) -> None:
        """Makes another input topic."""
        create_topics(self.log.settings, [_input_spec(name)], partitions=PARTITIONS, replication=1)


@contextmanager
def kafka_day(day: RecordedDay) -> Iterator[KafkaDay]:
    """A broker with every topic, and the day on the input topic, lz4.

    Raises Unavailable without Java or its jars.
    """
    with tempfile.TemporaryDirectory() as folder:
        with on(others()):
            try:
                broker = shared_broker(Path(folder), os.getpid())
            except pytest.skip.Exception as reason:
                raise Unavailable(str(reason)) from reason
        log = KafkaLog(KafkaSettings(bootstrap=broker.bootstrap))
        try:
            yield KafkaDay(broker.bootstrap, log, _fill(log, day))
        finally:
            log.close()
            stop_shared_broker(Path(folder))


def _input_spec(name: str) -> TopicSpec:
    """The composed day keeps its own times, so that each run reads the same as without Kafka."""
    spec = topic_specs(name)[0]
    any_time = {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.after.max.ms": str(2**63 - 1),
        "retention.ms": "-1",
    }
    return replace(spec, configs={**spec.configs, **any_time})


def _fill(log: KafkaLog, day: RecordedDay) -> int:
    specs = [_input_spec(INPUT), *topic_specs(INPUT)[1:]]
    create_topics(log.settings, specs, partitions=PARTITIONS, replication=1)
    requests = read_requests(day.native)
    values = day.native.read_bytes().splitlines()
    producer = log.producer()
    producer.send(
        OutputRecord(INPUT, (r.account or "").encode(), value, r.event_time_s or 0.0)
        for r, value in zip(requests, values, strict=True)
    )
    producer.close()
    return len(requests)
