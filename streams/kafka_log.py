"""The log at scale: a Kafka cluster behind the protocols of `streams.log` (kafka-python 3.0.12)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from kafka import KafkaAdminClient, errors

from streams.kafka_connect import connect_options
from streams.kafka_errors import kafka_errors
from streams.kafka_group import KafkaGroupConsumer
from streams.kafka_producer import KafkaLogProducer
from streams.kafka_reader import KafkaReader
from streams.kafka_settings import KafkaSettings
from streams.log import RebalanceListener, TopicPartition, UnknownTopic

_REQUEST_LIMIT_S = 30.0


class KafkaLog:
    """Makes clients of one cluster; implements `streams.log.Log`.

    Threads may share it; its clients belong to one thread each. Nothing is connected before the
    first call. `connect_timeout_s`: how long a client may try to reach the first broker.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        connect_timeout_s: float = 5.0,
        stop: threading.Event | None = None,
    ) -> None:
        """`stop`: once set, producers give a cluster that does not answer a few seconds more."""
        self.settings = settings
        self._stop = stop or threading.Event()
        self._connect_timeout_s = connect_timeout_s
        self._lock = threading.Lock()
        self._admin: KafkaAdminClient | None = None
        # kafka-python tells of every retry; what matters comes to the caller as an error. Whoever
        # wants the rest sets up logging for "kafka".
        logger = logging.getLogger("kafka")
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())

    def partitions_for(self, topic: str) -> int:
        with self._lock, self._errors(f"looking up topic {topic!r}", topic):
            try:
                found = self._connected().describe_topics([topic])
            except (errors.KafkaError, OSError):
                # kafka-python knows the brokers by the addresses of when it last heard of them; it
                # never asks those of `bootstrap` again. A new client does.
                self._disconnect()
                raise
            code = found[0]["error_code"] if found else errors.UnknownTopicOrPartitionError.errno
            if code:
                raise errors.for_code(code)()
            return len(found[0]["partitions"])

    def consumer(
        self,
        group_id: str,
        topics: Sequence[str],
        *,
        member_id: str,
        listener: RebalanceListener | None = None,
    ) -> KafkaGroupConsumer:
        for topic in topics:
            self.partitions_for(topic)
        with self._errors(f"joining group {group_id!r}"):
            return KafkaGroupConsumer(
                self.settings,
                self._client_options(member_id),
                group_id,
                topics,
                listener,
                member_id if self.settings.static_members else None,
            )

    def reader(self, partitions: Sequence[TopicPartition]) -> KafkaReader:
        for topic in sorted({tp.topic for tp in partitions}):
            count = self.partitions_for(topic)
            for tp in partitions:
                if tp.topic == topic and not 0 <= tp.partition < count:
                    raise UnknownTopic(
                        f"topic {topic!r} has no partition {tp.partition}",
                        topic=topic,
                        partition=tp.partition,
                    )
        with self._errors("starting to read"):
            return KafkaReader(self.settings, self._client_options("stillwatch-reader"), partitions)

    def producer(self, transactional_id: str | None = None) -> KafkaLogProducer:
        with self._errors(f"starting producer {transactional_id or ''}".rstrip()):
            return KafkaLogProducer(
                self.settings,
                self._client_options(transactional_id or "stillwatch-producer"),
                transactional_id,
                self.partitions_for,
                self._stop,
            )

    def close(self) -> None:
        """Gives up the log's own connection; its clients keep theirs."""
        with self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._admin is not None:
            admin, self._admin = self._admin, None
            admin.close()

    def _connected(self) -> KafkaAdminClient:
        if self._admin is None:
            limit_s = min(_REQUEST_LIMIT_S, self.settings.session_timeout_s)
            self._admin = KafkaAdminClient(
                **self._client_options("stillwatch-admin"),
                # A broker that is frozen, or gone without a word, must not outlast the session.
                request_timeout_ms=int(limit_s * 1000.0),
            )
        return self._admin

    def _client_options(self, client_id: str) -> dict[str, Any]:
        return connect_options(self.settings, client_id, self._connect_timeout_s)

    def _errors(self, doing: str, topic: str | None = None) -> Any:
        return kafka_errors(doing, self.settings.bootstrap, topic=topic)


def log_from(settings: KafkaSettings, stop: threading.Event | None = None) -> KafkaLog:
    """The log that the settings name; `stop` as in `KafkaLog`."""
    return KafkaLog(settings, stop=stop)
