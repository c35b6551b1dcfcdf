"""Real Kafka as a backend of the log suite."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence

from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove

from streams.kafka_group import KafkaGroupConsumer
from streams.kafka_log import KafkaLog
from streams.kafka_producer import KafkaLogProducer
from streams.kafka_reader import KafkaReader
from streams.kafka_settings import KafkaSettings
from streams.log import RebalanceListener, TopicPartition

_numbers = itertools.count()


class TidyKafkaLog(KafkaLog):
    """Closes every client it made when it is closed."""

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings)
        self._made: list[KafkaGroupConsumer | KafkaReader | KafkaLogProducer] = []

    def consumer(
        self,
        group_id: str,
        topics: Sequence[str],
        *,
        member_id: str,
        listener: RebalanceListener | None = None,
    ) -> KafkaGroupConsumer:
        consumer = super().consumer(group_id, topics, member_id=member_id, listener=listener)
        self._made.append(consumer)
        return consumer

    def reader(self, partitions: Sequence[TopicPartition]) -> KafkaReader:
        reader = super().reader(partitions)
        self._made.append(reader)
        return reader

    def producer(self, transactional_id: str | None = None) -> KafkaLogProducer:
        producer = super().producer(transactional_id)
        self._made.append(producer)
        return producer

    def close(self) -> None:
        for client in self._made:
            client.close()
        super().close()


class KafkaBackend:
    """A log on a running broker; every name it gives is new to the broker."""

    # An empty poll costs this much; a full one returns as soon as records are there.
    timeout_s = 0.3

    def __init__(self, bootstrap: str, **settings: object) -> None:
        # Members hear of a rebalance with their next heartbeat.
        values = {"bootstrap": bootstrap, "heartbeat_s": 0.1, **settings}
        self.settings = KafkaSettings.model_validate(values)
        self.log = TidyKafkaLog(self.settings)
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap, client_id="tests")

    def name(self, kind: str) -> str:
        """A name that no other test uses."""
        return f"{kind}-{os.getpid()}-{next(_numbers)}"

    def topic(self, partitions: int, **configs: str) -> str:
        """Makes a topic. `configs` as Kafka's, with _ for the dots."""
        name = self.name("topic")
        options = {
            "num_partitions": partitions,
            "replication_factor": 1,
            "configs": {key.replace("_", "."): value for key, value in configs.items()},
        }
        self.admin.create_topics({name: options}, wait_for_metadata=True)
        return name

    def freeze(self, group_id: str, member_id: str) -> None:
        group = self.admin.describe_groups([group_id])[group_id]
        members = [
            MemberToRemove(member_id=member["member_id"])
            for member in group["members"]
            if member["client_id"] == member_id
        ]
        self.admin.remove_group_members(group_id, members)

    def close(self) -> None:
        self.log.close()
        self.admin.close()
