"""Reads partitions of a Kafka topic without a group, and the polling that group members share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import kafka
from kafka.structs import TopicPartition as KafkaPartition

from streams.kafka_errors import kafka_errors
from streams.kafka_settings import KafkaSettings
from streams.log import LogError, LogRecord, TopicPartition, UnknownTopic

# A fetch brings up to this much of a partition, and more when a single record is larger (KIP-74).
_PARTITION_FETCH_BYTES = 4 * 1024 * 1024
# How long the broker waits for more when it has nothing: so long does a partition wait that was
# resumed, or sought in, meanwhile.
_FETCH_WAIT_MS = 200
_CLOSE_TIMEOUT_MS = 3_000
_REQUEST_LIMIT_S = 30.0
# So many records a consumer takes at first, before it knows how large they are; and how fast it
# forgets a large one, a poll.
_FIRST_RECORDS = 256
_FORGET = 0.5


def consumer_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options of kafka-python's consumer that readers and group members share."""
    return {
        "enable_auto_commit": False,
        # No silent jump: a position that the log no longer holds is the caller's to decide on.
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        "fetch_max_bytes": max(settings.poll_bytes, settings.max_record_bytes),
        "max_partition_fetch_bytes": max(_PARTITION_FETCH_BYTES, settings.max_record_bytes),
        "fetch_max_wait_ms": _FETCH_WAIT_MS,
        # A broker that is frozen, or gone without a word, must not outlast the session.
        "request_timeout_ms": int(min(_REQUEST_LIMIT_S, settings.session_timeout_s) * 1000.0),
        "metrics_enabled": False,
    }


class KafkaPoller:
    """Polling, positions and seeking on an assigned kafka-python consumer."""

    def __init__(self, settings: KafkaSettings, client: kafka.KafkaConsumer) -> None:
        self._bootstrap = settings.bootstrap
        self._poll_bytes = settings.poll_bytes
        self._record_bytes = settings.poll_bytes / _FIRST_RECORDS
        self._client = client
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> list[LogRecord]:
        if max_records < 1:
            raise ValueError(f"max_records must be at least 1, got {max_records}")
        self._check_open()
        with kafka_errors("reading", self._bootstrap):
            return self._records(
                self._client.poll(int(timeout_s * 1000.0), self._fitting(max_records))
            )

    def _fitting(self, max_records: int) -> int:
        """How many records to ask for, so that they stay within poll_bytes.

        kafka-python counts records, not bytes: as many as fit if all are as large as the largest
        lately.
        """
        return min(max_records, max(1, int(self._poll_bytes / self._record_bytes)))

    def _records(self, polled: Mapping[KafkaPartition, Sequence[Any]]) -> list[LogRecord]:
        """What was polled, partition after partition."""
        if len(polled) == 1:
            (records,) = polled.values()
            got = _log_records(records)
        else:
            got = [record for records in polled.values() for record in _log_records(records)]
        if got:
            largest = max([len(record.value) for record in got])
            self._record_bytes = max(largest, self._record_bytes * _FORGET, 1.0)
        return got

    def positions(self) -> dict[TopicPartition, int]:
        return {tp: self._position(tp) for tp in self._read()}

    def end_offsets(self) -> dict[TopicPartition, int]:
        self._check_open()
        with kafka_errors("asking for the ends", self._bootstrap):
            ends = self._client.end_offsets([_theirs(tp) for tp in self._read()])
        return {_ours(tp): offset for tp, offset in ends.items()}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self._assigned():
            raise UnknownTopic(
                f"partition {partition.partition} of {partition.topic!r} is not read here",
                topic=partition.topic,
                partition=partition.partition,
                offset=offset,
            )
        self._client.seek(_theirs(partition), offset)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with kafka_errors("closing", self._bootstrap):
                self._client.close(autocommit=False, timeout_ms=_CLOSE_TIMEOUT_MS)

    def _assigned(self) -> list[TopicPartition]:
        """What kafka-python reads now, in order."""
        return sorted(_ours(tp) for tp in self._client.assignment())

    def _read(self) -> list[TopicPartition]:
        """What the owner reads now, in order."""
        return self._assigned()

    def _position(self, tp: TopicPartition) -> int:
        # `position()` asks the cluster about every partition each time; this is what it returns.
        state = self._client._subscription.assignment.get(_theirs(tp))
        if state is None or state.position is None:
            raise LogError(f"no position yet in {tp}", topic=tp.topic, partition=tp.partition)
        return int(state.position.offset)

    def _start_at(self, offsets: dict[KafkaPartition, int | None]) -> None:
        """Sets positions; None is the earliest record."""
        fresh = [tp for tp, offset in offsets.items() if offset is None]
        earliest = self._client.beginning_offsets(fresh) if fresh else {}
        for tp, offset in offsets.items():
            self._client.seek(tp, earliest[tp] if offset is None else offset)

    def _check_open(self) -> None:
        if self._closed:
            raise LogError("this consumer is closed")


class KafkaReader(KafkaPoller):
    """Reads named partitions from their earliest record; implements `streams.log.LogReader`."""

    def __init__(
        self,
        settings: KafkaSettings,
        client_options: dict[str, Any],
        partitions: Sequence[TopicPartition],
    ) -> None:
        client = kafka.KafkaConsumer(**client_options, **consumer_options(settings))
        super().__init__(settings, client)
        try:
            theirs = [_theirs(tp) for tp in partitions]
            client.assign(theirs)
            self._start_at(dict.fromkeys(theirs))
        except BaseException:
            client.close(autocommit=False, timeout_ms=_CLOSE_TIMEOUT_MS)
            raise


def _log_records(records: Sequence[Any]) -> list[LogRecord]:
    """Records of one partition. The hot path: positional, one pass, nothing looked up twice."""
    return [
        LogRecord(
            record.topic,
            record.partition,
            record.offset,
            record.key,
            b"" if record.value is None else record.value,
            record.timestamp / 1000.0,
            tuple([(name, value or b"") for name, value in record.headers])
            if record.headers
            else (),
            record.value is None,
        )
        for record in records
    ]


def _theirs(tp: TopicPartition) -> KafkaPartition:
    return KafkaPartition(tp.topic, tp.partition)


def _ours(tp: KafkaPartition) -> TopicPartition:
    return TopicPartition(tp.topic, tp.partition)
