"""`stillwatch topics create` on a real broker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from typer.testing import CliRunner

from detector.cli.main import app
from streams.topics import topic_specs
from tests.services.kafka import KafkaBroker
from tests.services.kafka_cluster import KafkaCluster, folder_for

INPUT = f"requests-{os.getpid()}"

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """A broker for this file: the names of a deployment's topics are fixed, and others use them."""
    made = KafkaCluster(folder_for(tmp_path_factory.mktemp("cluster")), os.getpid(), brokers=1)
    yield made
    made.close()


@pytest.fixture
def admin(own_broker: KafkaCluster) -> Iterator[KafkaAdminClient]:
    """Removes the topics of a deployment afterwards."""
    admin = KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)
    names = {spec.name for spec in topic_specs(INPUT)}
    yield admin
    admin.delete_topics(sorted(names & set(admin.list_topics())))
    admin.close()


def create(broker: KafkaCluster | KafkaBroker, *arguments: str, code: int = 0) -> str:
    """Runs the command; all that it printed, on one line."""
    variables = {"STILLWATCH_KAFKA": broker.bootstrap, "STILLWATCH_INPUT_TOPIC": INPUT}
    environment = {**variables, "COLUMNS": "300"}
    result = CliRunner().invoke(app, ["topics", "create", *arguments], env=environment)
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_topics_are_made_once_with_their_settings(
    admin: KafkaAdminClient, own_broker: KafkaCluster
) -> None:
    """A dry run makes nothing; then all are made, as specified; a second time nothing changes."""
    assert create(own_broker, "--dry-run").count("would be created") == 8
    assert INPUT not in admin.list_topics()
    assert create(own_broker, "--partitions", "3").count("created") == 8
    for spec in topic_specs(INPUT):
        (topic,) = admin.describe_topics([spec.name])
        assert len(topic["partitions"]) == (spec.partitions or 3)
        resource = ConfigResource(ConfigResourceType.TOPIC, spec.name, dict.fromkeys(spec.configs))
        found = admin.describe_configs([resource], config_filter="all")["topic"][spec.name]
        assert {name: value["value"] for name, value in found.items()} == dict(spec.configs)
    again = create(own_broker, "--partitions", "5")
    assert again.count("exists") == 8
    assert "should be" not in again


def test_what_exists_with_other_settings_is_told_and_left(
    admin: KafkaAdminClient, own_broker: KafkaCluster
) -> None:
    """The difference is named with the command that corrects it; nothing is changed."""
    admin.create_topics(
        {
            "stillwatch.control": {
                "num_partitions": 2,
                "replication_factor": 1,
                "configs": {
                    **next(s.configs for s in topic_specs() if s.name == "stillwatch.control"),
                    "retention.ms": "1000",
                },
            }
        },
        wait_for_metadata=True,
    )
    told = create(own_broker, "--partitions", "2")
    assert told.count("created") == 7
    assert "stillwatch.control: partitions is 2, should be 1" in told
    assert "stillwatch.control: retention.ms is 1000, should be -1" in told
    assert "--entity-name stillwatch.control --add-config 'retention.ms=-1'" in told
    assert len(admin.describe_topics(["stillwatch.control"])[0]["partitions"]) == 2


def test_why_tells_the_reason(admin: KafkaAdminClient, own_broker: KafkaCluster) -> None:
    """An operator can read why a topic is set so before making it."""
    told = create(own_broker, "--dry-run", "--why")
    assert "a tombstone lifts a verdict" in told
    assert INPUT not in admin.list_topics()


def test_an_unreachable_broker_is_a_sentence() -> None:
    """Exit 2, the address, and what to do."""
    told = create(KafkaBroker("127.0.0.1:1"), code=2)
    assert "127.0.0.1:1" in told
    assert "start the broker, or correct the setting" in told
    assert "Traceback" not in told
