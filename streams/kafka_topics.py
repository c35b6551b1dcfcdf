"""Makes topics on a Kafka cluster, and tells where those that exist are set otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kafka import KafkaAdminClient, errors
from kafka.admin import ConfigResource, ConfigResourceType

from streams.kafka_connect import connect_options
from streams.kafka_errors import kafka_errors
from streams.kafka_settings import KafkaSettings
from streams.topics import TopicSpec

_CONNECT_LIMIT_S = 5.0
_METADATA_LIMIT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting of a topic that is not as advised."""

    setting: str
    found: str
    advised: str


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What became of one topic.

    `partitions`: how many it has, or would get. `differences` only for topics that existed.
    """

    spec: TopicSpec
    state: Literal["created", "would be created", "exists"]
    partitions: int
    differences: tuple[Difference, ...] = ()


def create_topics(
    settings: KafkaSettings,
    specs: Sequence[TopicSpec],
    *,
    partitions: int,
    replication: int | None = None,
    dry_run: bool = False,
) -> list[TopicReport]:
    """Makes the topics that are missing, changes none that exists; a report for each, in order.

    `replication` None is the cluster's default. Raises LogError.
    """
    with kafka_errors("making topics", settings.bootstrap):
        admin = KafkaAdminClient(**connect_options(settings, "stillwatch-topics", _CONNECT_LIMIT_S))
        try:
            return [_settle(admin, spec, partitions, replication, dry_run) for spec in specs]
        finally:
            admin.close()


def _settle(
    admin: KafkaAdminClient,
    spec: TopicSpec,
    partitions: int,
    replication: int | None,
    dry_run: bool,
) -> TopicReport:
    wanted = spec.partitions or partitions
    found = _partitions(admin, spec.name)
    if found is not None:
        return TopicReport(spec, "exists", found, _differences(admin, spec, found))
    if dry_run:
        return TopicReport(spec, "would be created", wanted)
    configs = dict(spec.configs)
    if replication is not None and replication >= 3:
        # An acknowledged record survives the loss of a broker, and one broker may be down.
        configs["min.insync.replicas"] = "2"
    admin.create_topics(
        {
            spec.name: {
                "num_partitions": wanted,
                "replication_factor": -1 if replication is None else replication,
                "configs": configs,
            }
        }
    )
    admin.wait_for_topics([spec.name], timeout_ms=_METADATA_LIMIT_MS)
    return TopicReport(spec, "created", wanted)


def _partitions(admin: KafkaAdminClient, topic: str) -> int | None:
    """How many partitions a topic has; None when it does not exist."""
    (found,) = admin.describe_topics([topic])
    error = errors.for_code(found["error_code"])
    if error is errors.UnknownTopicOrPartitionError:
        return None
    if error is not errors.NoError:
        raise error()
    return len(found["partitions"])


def _differences(
    admin: KafkaAdminClient, spec: TopicSpec, partitions: int
) -> tuple[Difference, ...]:
    resource = ConfigResource(ConfigResourceType.TOPIC, spec.name, dict.fromkeys(spec.configs))
    described = admin.describe_configs([resource], config_filter="all")["topic"][spec.name]
    if spec.configs and not described:  # kafka-python leaves out what it may not see
        raise errors.TopicAuthorizationFailedError(f"DescribeConfigs of {spec.name}")
    differences = [
        Difference(name, described[name]["value"], advised)
        for name, advised in spec.configs.items()
        if described[name]["value"] != advised
    ]
    if spec.partitions is not None and partitions != spec.partitions:
        differences.insert(0, Difference("partitions", str(partitions), str(spec.partitions)))
    return tuple(differences)
