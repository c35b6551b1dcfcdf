"""The envelope's shape is held by a golden file; readers ignore what they do not know."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.envelope import (
    HEADERS,
    NAMESPACE,
    Envelope,
    decode,
    derived_id,
    encode,
    read_data,
    rfc3339,
    wrap,
    written,
)
from streams.errors import MalformedRecord

GOLDEN = Path(__file__).parents[1] / "golden" / "envelope.json"


class Finding(msgspec.Struct):
    account: str
    score: float


def _example() -> Envelope:
    return wrap(
        "alert",
        Finding("acme/42", 0.75),
        event_id=derived_id("default", "alert", "acme/42", 3),
        source="/stillwatch/worker",
        subject="acme/42",
        time_s=1_750_000_000.1239,
        version=1,
        partition_key="acme/42",
    )


def test_the_golden_file_holds_the_shape() -> None:
    """Bytes equal to the file: names, their order, ids and times do not change unnoticed."""
    assert encode(_example()) + b"\n" == GOLDEN.read_bytes()


def test_it_is_a_cloudevent() -> None:
    """What CloudEvents 1.0 demands: attributes present, lower case, a content type header."""
    event = json.loads(encode(_example()))
    assert event["specversion"] == "1.0"
    assert {"id", "source", "type"} <= event.keys()
    assert all(name.isalnum() and name.islower() for name in event)
    assert event["time"] == "2025-06-15T15:06:40.124Z"
    assert dict(HEADERS)["content-type"].startswith(b"application/cloudevents+json")


def test_readers_ignore_unknown_fields() -> None:
    """A newer writer's envelope and data decode with an older reader."""
    event = json.loads(encode(_example()))
    event["traceparent"] = "00-1"
    event["data"]["severity"] = 3
    envelope = decode(json.dumps(event).encode())
    assert read_data(envelope, Finding) == Finding("acme/42", 0.75)
    assert envelope.id == _example().id


@pytest.mark.parametrize(
    ("change", "field"),
    [({"id": 5}, "id"), ({"specversion": "2.0"}, "specversion"), ({"time": None}, "time")],
)
def test_a_wrong_field_is_named(change: dict[str, object], field: str) -> None:
    """The error carries the field's name."""
    event = json.loads(encode(_example())) | change
    with pytest.raises(MalformedRecord) as caught:
        decode(json.dumps(event).encode())
    assert caught.value.field == field


def test_a_wrong_field_of_the_data_is_named_with_its_path() -> None:
    """`data.score` is text: the error says so and where."""
    event = json.loads(encode(_example()))
    event["data"]["score"] = "high"
    with pytest.raises(MalformedRecord) as caught:
        read_data(decode(json.dumps(event).encode()), Finding)
    assert caught.value.field == "data.score"


@given(st.one_of(st.binary(max_size=60), st.just(b"[" * 100_000), st.just(b'"\\ud800"')))
def test_any_bytes_decode_or_are_malformed(raw: bytes) -> None:
    """No other error than MalformedRecord, for noise, deep nesting and lone surrogates."""
    with pytest.raises(MalformedRecord):
        decode(raw)


def test_equal_data_give_equal_bytes() -> None:
    """The order in which a dict was filled does not show."""

    def bytes_of(data: dict[str, int]) -> bytes:
        return bytes(
            wrap(
                "score",
                data,
                event_id="x",
                source="/s",
                subject="a",
                time_s=0.0,
                version=1,
                partition_key="a",
            ).data
        )

    assert bytes_of({"a": 1, "b": 2}) == bytes_of({"b": 2, "a": 1})


PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text()
DATA = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@given(DATA, st.text(), st.text(), st.floats(0.0, 4e9))
def test_one_pass_writes_what_two_do(data: object, subject: str, key: str, time_s: float) -> None:
    """`written` gives the bytes of `encode(wrap(...))`, for data and structs of every shape."""
    for body in (data, Finding(subject, time_s)):
        names = {"event_id": "x", "source": "/s", "subject": subject, "partition_key": key}
        two = encode(wrap("score", body, time_s=time_s, version=2, **names))
        assert written("score", body, time_s=time_s, version=2, **names) == two


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_ids_are_derived_and_borders_count(one: list[str], other: list[str]) -> None:
    """The UUIDv5 of the parts; other parts, another, also when they join to the same text."""
    named = msgspec.json.encode(one).decode()
    assert derived_id(*one) == str(uuid.uuid5(NAMESPACE, named))
    assert (derived_id(*one) == derived_id(*other)) == (one == other)


def test_times_are_whole_milliseconds_and_impossible_ones_are_said() -> None:
    """Rounded, not cut; before 1970 works; NaN and the year 33658 are malformed."""
    assert rfc3339(1.9996) == "1970-01-01T00:00:02.000Z"
    assert rfc3339(-0.5) == "1969-12-31T23:59:59.500Z"
    for time_s in (float("nan"), float("inf"), 1e12, 1e300):
        with pytest.raises(MalformedRecord) as caught:
            rfc3339(time_s)
        assert caught.value.field == "time"
