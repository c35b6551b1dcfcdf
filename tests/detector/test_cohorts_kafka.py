"""The role cohorts on a real broker: handed over from one process to the next."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from detector.cohort_records import SIGHTINGS
from detector.output_records import DEAD_LETTERS
from tests.detector.cohorts_rig import OUT, drain, new_role, records, wanted, written
from tests.detector.renamed_log import RenamedLog
from tests.services.kafka import KafkaBroker
from tests.streams.kafka_backend import KafkaBackend

pytestmark = pytest.mark.kafka

LIMIT_S = 30.0


@pytest.fixture
def kafka_log(kafka_broker: KafkaBroker) -> Iterator[RenamedLog]:
    """Topics with names of this test's own."""
    backend = KafkaBackend(kafka_broker.bootstrap, session_timeout_s=2.0)
    prefix = backend.name("cohorts") + "."
    topics = {
        prefix + name: {"num_partitions": count, "replication_factor": 1}
        for name, count in ((SIGHTINGS, 1), *((topic, 3) for topic in OUT))
    }
    backend.admin.create_topics(topics, wait_for_metadata=True)
    yield RenamedLog(backend.log, prefix)
    backend.close()


def test_what_two_processes_write_one_after_the_other_is_there_once(kafka_log: RenamedLog) -> None:
    """The second rebuilds its state from the topic up to the committed offset."""
    producer = kafka_log.producer()
    producer.send(records())
    producer.close()
    first = new_role(kafka_log, size=50, member="first")
    drain(first, 100)
    first.close()
    second = new_role(kafka_log, size=77, member="second")
    drain(second, len(records()))
    second.close()
    give_up_s = time.monotonic() + LIMIT_S
    expected = {topic: some for topic, some in wanted().items() if topic != DEAD_LETTERS}
    while True:  # a broker answers a commit before its markers stand in every partition
        found = written(kafka_log)
        if len(found.pop(DEAD_LETTERS)) == 1 and found == expected:
            break
        assert time.monotonic() < give_up_s
