"""The topics' settings hold together, and agree with what the detector writes to."""

from __future__ import annotations

from detector.cohort_records import COHORTS, SIGHTINGS
from detector.output_records import ALERTS, DEAD_LETTERS, SCORES, VERDICTS
from streams.kafka_settings import KafkaSettings
from streams.topics import MAX_INPUT_BYTES, topic_specs

SPECS = {spec.name: spec for spec in topic_specs("in")}


def test_every_output_has_a_topic() -> None:
    """The names that the detector writes to are the names that are made."""
    assert set(SPECS) == {
        "in",
        VERDICTS,
        ALERTS,
        SCORES,
        SIGHTINGS,
        COHORTS,
        DEAD_LETTERS,
        "stillwatch.control",
    }


def test_verdicts_are_compacted_and_everything_personal_ends() -> None:
    """Readers of verdicts need the last of each key; scores, alerts and dead letters expire."""
    assert SPECS[VERDICTS].configs["cleanup.policy"] == "compact"
    assert "retention.ms" not in SPECS[VERDICTS].configs
    for topic in ("in", ALERTS, SCORES, SIGHTINGS, DEAD_LETTERS):
        assert 0 < int(SPECS[topic].configs["retention.ms"]) <= 90 * 24 * 3600 * 1000


def test_control_is_one_order_and_kept() -> None:
    """A replay needs every switch, in one order."""
    control = SPECS["stillwatch.control"]
    assert control.partitions == 1
    assert control.configs["retention.ms"] == "-1"
    assert control.configs["retention.bytes"] == "-1"


def test_the_input_takes_what_the_reader_takes() -> None:
    """One bound on a record, in the topic's settings and in ours."""
    assert SPECS["in"].configs["max.message.bytes"] == str(MAX_INPUT_BYTES)
    assert KafkaSettings().max_record_bytes == MAX_INPUT_BYTES


def test_a_topic_without_keys_comes_before_the_input() -> None:
    """With a topic to rekey there is one more, with the broker's times; the input then keeps the
    times that it is given, and stays as bounded as before. All else is the same."""
    found = {spec.name: spec for spec in topic_specs("in", "spans")}
    assert found.keys() - SPECS.keys() == {"spans"}
    assert found["spans"].configs == SPECS["in"].configs
    assert found["in"].configs["message.timestamp.type"] == "CreateTime"
    assert {**found["in"].configs, "message.timestamp.type": "LogAppendTime"} == SPECS["in"].configs
    assert all(found[name] == spec for name, spec in SPECS.items() if name != "in")
