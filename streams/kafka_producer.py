"""Writes to Kafka: plain, or a batch of outputs and input offsets in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import kafka
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    RebalanceInProgressError,
    UnknownError,
)
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaPartition

from streams.kafka_errors import kafka_errors, log_error
from streams.kafka_patience import Patience
from streams.kafka_settings import KafkaSettings
from streams.log import (
    Evicted,
    Fenced,
    GroupMetadata,
    GroupMoved,
    LogError,
    OutputRecord,
    RecordRefused,
    TopicPartition,
    UnknownTopic,
    Unreachable,
)
from streams.partitioner import partition_for

_BATCH_BYTES = 512 * 1024
# Batches leave when they are full or flushed; every call here ends in a flush.
_LINGER_MS = 1_000
# A new transaction meets the last one's markers still being written; Kafka's 100 ms would be the
# greater part of a small transaction.
_RETRY_BACKOFF_MS = 10
_REQUEST_LIMIT_S = 30.0
_SEND_RECORDS = 5_000
_CLOSE_TIMEOUT_S = 5.0
_MAX_TIME_S = 253_402_300_800.0
"""Year 10000, as in the embedded log: no reader could print a later time."""
_RECORD_OVERHEAD_BYTES = 128
"""More than a record's own fields take in a batch (record format v2)."""


class KafkaLogProducer:
    """Implements `streams.log.LogProducer`.

    `count_partitions` gives a topic's number of partitions; it is asked once a topic.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        client_options: dict[str, Any],
        transactional_id: str | None,
        count_partitions: Callable[[str], int],
        stop: threading.Event,
    ) -> None:
        limit_s = settings.transaction_timeout_s  # the broker aborts what is open for longer
        self._patience = Patience(limit_s, stop)
        self._bootstrap = settings.bootstrap
        self._max_record_bytes = settings.max_record_bytes
        self._transactional_id = transactional_id
        self._count_partitions = count_partitions
        self._counts: dict[str, int] = {}
        self._keyless = 0
        self._fenced: Fenced | None = None
        self._options = {
            **client_options,
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(settings.transaction_timeout_s * 1000.0),
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": None if settings.compression == "none" else settings.compression,
            "batch_size": _BATCH_BYTES,
            "linger_ms": _LINGER_MS,
            "retry_backoff_ms": _RETRY_BACKOFF_MS,
            "request_timeout_ms": int(min(limit_s, _REQUEST_LIMIT_S) * 1000.0),
            "delivery_timeout_ms": int(limit_s * 1000.0) + _LINGER_MS,
            "max_block_ms": int(limit_s * 1000.0),
            # The size is checked here, exactly; kafka-python must not refuse what passed.
            "max_request_size": settings.max_record_bytes + 64 * 1024,
            "metrics_enabled": False,
        }
        self._client = self._connect()
        self._stale = False

    def _connect(self) -> kafka.KafkaProducer:
        client = kafka.KafkaProducer(**self._options)
        if self._transactional_id is not None:
            try:
                self._end(client._transaction_manager.initialize_transactions(), client, "starting")
            except BaseException:
                _discard(client)
                raise
        return client

    def _renew(self) -> None:
        """A new client after a failed write.

        kafka-python 3.0.12 counts the records of a batch that the broker refused, so the broker
        would find every later batch out of order.
        """
        if self._stale:
            _discard(self._client)
            self._client = self._connect()
            self._stale = False

    def _end(self, result: Any, client: kafka.KafkaProducer, doing: str) -> None:
        """Waits for what a transaction manager was asked for; raises what became of it."""
        client._sender.wakeup()
        self._patience.wait(lambda slice_s: bool(result.wait(timeout_ms=slice_s * 1000.0)), doing)

    def send(self, records: Iterable[OutputRecord]) -> None:
        if self._transactional_id is not None:
            raise LogError("a transactional producer writes by send_transaction only")
        rest = iter(records)
        while chunk := list(islice(rest, _SEND_RECORDS)):
            placed = [(record, self._place(record)) for record in chunk]
            with kafka_errors("writing", self._bootstrap):
                self._renew()
                self._write(placed)

    def send_transaction(
        self,
        outputs: Sequence[OutputRecord],
        offsets: Mapping[TopicPartition, int],
        group: GroupMetadata | None = None,
    ) -> None:
        if self._transactional_id is None:
            raise LogError("send_transaction needs a producer with a transactional id")
        if offsets and group is None:
            raise LogError("input offsets need the metadata of their group")
        if self._fenced is not None:
            raise self._fenced
        placed = [(output, self._place(output)) for output in outputs]
        doing = f"transaction of {self._transactional_id!r}"
        with kafka_errors(doing, self._bootstrap):
            self._renew()
            self._client.begin_transaction()
        manager = self._client._transaction_manager
        # kafka-python 3.0.12 keeps offsets that the group refused and sends them along with the
        # next transaction: they would count as handled, and their outputs were aborted.
        manager._pending_txn_offset_commits.clear()
        try:
            self._write(placed)
            if offsets and group is not None:
                self._end(
                    manager.send_offsets_to_transaction(
                        {
                            KafkaPartition(tp.topic, tp.partition): OffsetAndMetadata(at, "", -1)
                            for tp, at in offsets.items()
                        },
                        ConsumerGroupMetadata(
                            group.group_id, group.generation, group.member_id, group.instance_id
                        ),
                    ),
                    self._client,
                    doing,
                )
            self._end(manager.begin_commit(), self._client, doing)
        except (KafkaError, LogError) as error:
            raise self._abort(error, doing) from error
        except BaseException:
            self._abort(LogError(f"{doing} was interrupted"), doing)
            raise

    def settle(self, group_id: str, partition: TopicPartition) -> None:
        # A broker (4.4.0) that was killed in a transaction and started again has called its abort
        # complete without a marker in the group's offsets. They then never come to rest, and the
        # id's next commit would make them count, though their outputs were aborted. Offsets that
        # are aborted now bring the marker.
        if self._transactional_id is None:
            raise LogError("settle needs a producer with a transactional id")
        doing = f"settling {self._transactional_id!r}"
        at = KafkaPartition(partition.topic, partition.partition)
        nobody = ConsumerGroupMetadata(group_id, -1, "", None)
        with kafka_errors(doing, self._bootstrap):
            self._renew()
            self._client.begin_transaction()
            manager = self._client._transaction_manager
            try:
                never = {at: OffsetAndMetadata(0, "", -1)}
                self._end(manager.send_offsets_to_transaction(never, nobody), self._client, doing)
                self._end(manager.begin_abort(), self._client, doing)
            except (KafkaError, LogError):
                self._stale = True
                raise

    def close(self) -> None:
        if self._stale:
            _discard(self._client)
            return
        with kafka_errors("closing", self._bootstrap):
            self._client.close(timeout=_CLOSE_TIMEOUT_S)

    def _write(self, placed: Sequence[tuple[OutputRecord, int]]) -> None:
        """Sends all and waits until the log holds them; raises the first failure."""
        send = self._client.send
        futures = [
            send(
                record.topic,
                record.value,
                record.key,
                list(record.headers),
                partition,
                round(record.timestamp_s * 1000.0),
            )
            for record, partition in placed
        ]
        self._flush()
        for future, (record, partition) in zip(futures, placed, strict=True):
            if future.exception is not None:
                self._stale = True
                where = f"writing to partition {partition} of {record.topic!r}"
                raise log_error(
                    future.exception, where, self._bootstrap, topic=record.topic
                ) from future.exception

    def _flush(self) -> None:
        """Waits until every record that was sent is acknowledged or has failed."""

        def flushed(slice_s: float) -> bool:
            try:
                self._client.flush(timeout=slice_s)
            except (KafkaTimeoutError, UnknownError):
                # UnknownError: a batch was over the topic's limit and is being sent in two halves.
                return False
            return True

        self._patience.wait(flushed, "writing")

    def _place(self, record: OutputRecord) -> int:
        """Partition of a record that may be written. Raises UnknownTopic, RecordRefused."""
        topic = record.topic
        count = self._counts.get(topic)
        if count is None:
            count = self._counts[topic] = self._count_partitions(topic)
        self._check(record)
        if record.partition is not None:
            if not 0 <= record.partition < count:
                raise UnknownTopic(
                    f"topic {topic!r} has no partition {record.partition}",
                    topic=topic,
                    partition=record.partition,
                )
            return record.partition
        key = record.key if record.partition_key is None else record.partition_key
        if key is None:
            self._keyless += 1
            return (self._keyless - 1) % count
        return partition_for(key, count)

    def _check(self, record: OutputRecord) -> None:
        """Raises RecordRefused for what Kafka would not take."""
        topic = record.topic
        if not 0.0 <= record.timestamp_s < _MAX_TIME_S:
            raise RecordRefused(
                f"timestamp_s {record.timestamp_s} is not a time from 1970 on", topic=topic
            )
        if record.key is None and record.value is None:
            raise RecordRefused("a tombstone needs a key", topic=topic)
        size = len(record.key or b"") + len(record.value or b"") + _RECORD_OVERHEAD_BYTES
        size += sum(len(name.encode()) + len(value) for name, value in record.headers)
        if size > self._max_record_bytes:
            raise RecordRefused(
                f"a record for {topic!r} has {size} bytes, over the {self._max_record_bytes} of "
                "the setting kafka.max_record_bytes",
                topic=topic,
            )

    def _abort(self, error: KafkaError | LogError, doing: str) -> LogError:
        """Aborts; the error to raise. Who is fenced stays so: coming back would fence the other."""
        cause = error if isinstance(error, LogError) else self._mapped(error, doing)
        if isinstance(cause, Unreachable):
            # Nobody knows what the broker did. A new client asks, and waits for the answer.
            self._stale = True
            return cause
        try:
            manager = self._client._transaction_manager
            self._end(manager.begin_abort(), self._client, doing)
        except (KafkaError, Unreachable) as failed:
            self._stale = True
            mapped = failed if isinstance(failed, LogError) else self._mapped(failed, doing)
            if _is_fence(mapped) and not _is_fence(cause):
                cause = mapped
            if isinstance(cause, Fenced) and _is_fence(cause):
                self._fenced = cause
        return cause

    def _mapped(self, error: KafkaError, doing: str) -> LogError:
        """kafka-python wraps what stopped a producer in a plain KafkaError, at times in words."""
        cause = self._client._transaction_manager.last_error
        if type(error) is KafkaError and isinstance(cause, KafkaError):
            error = cause
        if RebalanceInProgressError.__name__ in str(error):
            return GroupMoved(f"{doing}: the group is rebalancing; poll, then do it again")
        return log_error(error, doing, self._bootstrap)


def _is_fence(error: LogError) -> bool:
    """Whether another has the name for good."""
    return isinstance(error, Fenced) and not isinstance(error, GroupMoved | Evicted)


def _discard(client: kafka.KafkaProducer) -> None:
    """Closes a client at once; what it has not sent is dropped."""
    client._sender.force_close()
    client._sender.join(_CLOSE_TIMEOUT_S)
    client.close(timeout=0)
