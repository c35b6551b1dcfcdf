"""Outputs as records of the output topics."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detector.features import FEATURE_NAMES, N_FEATURES
from detector.output_records import DEAD_LETTERS, SCORES, VERDICTS, output_records
from detector.outputs import Outputs
from detector.score_row import ScoreRow
from streams.deadletters import DeadLetter
from streams.envelope import decode, derived_id, encode, wrap
from tests.detector.test_ledger import change


def test_a_verdict_is_keyed_by_its_entity_and_lies_with_its_account() -> None:
    """The key lets compaction keep the last verdict; the partition is the account's."""
    (record,) = output_records(Outputs(verdicts=[change("throttle", 10, "key")]))
    assert record.topic == VERDICTS
    assert (record.key, record.partition_key) == (b"default/key/acme/k1", b"acme")
    assert record.value is not None
    event = decode(record.value)
    assert (event.type, event.subject) == ("stillwatch.verdict", "acme")
    assert msgspec.json.decode(event.data)["to_level"] == "throttle"


def test_a_lifted_verdict_is_a_tombstone_and_a_suppressed_one_is_none() -> None:
    """Readers of the compacted topic see lifted verdicts go, and nothing of held-back ones."""
    lifted = change("allow", 10, kind="expired")
    held = change("allow", 11, kind="suppressed", suppressed=True)
    (record,) = output_records(Outputs(verdicts=[lifted, held]))
    assert record.value is None
    assert record.key == b"default/account/acme"


def test_a_score_names_its_features_and_leaves_unknown_ones_null() -> None:
    """NaN is no JSON; "not known" is null."""
    vector = np.full(N_FEATURES, np.nan, np.float32)
    vector[1] = 0.25
    row = ScoreRow("default", "acme", "account", "acme", 7.0, 3, 2, 1, 0.5, 0.1, vector)
    (record,) = output_records(Outputs(scores=[row]))
    assert (record.topic, record.key, record.timestamp_s) == (SCORES, b"acme", 7.0)
    assert record.value is not None
    features = msgspec.json.decode(decode(record.value).data)["features"]
    assert (features[FEATURE_NAMES[0]], features[FEATURE_NAMES[1]]) == (None, 0.25)


@given(st.lists(st.floats(width=32), min_size=N_FEATURES, max_size=N_FEATURES), st.floats(0, 1))
def test_a_score_is_written_as_its_dict_would_be(values: list[float], score: float) -> None:
    """Byte for byte: names in order, six digits a feature, null for what is not a number."""
    vector = np.array(values, np.float32)
    row = ScoreRow("default", 'ac"me', "key", "k", 7.5, 3, 2, 1, score, 0.1, vector)
    features = [None if math.isnan(v) else float(f"{v:.6g}") for v in vector.tolist()]
    data = {
        "tenant": "default",
        "account": 'ac"me',
        "scope": "key",
        "scope_id": "k",
        "requests": 3,
        "new_pieces": 2,
        "cue_pieces": 1,
        "score": score,
        "p_value": 0.1,
        "features": dict(zip(FEATURE_NAMES, features, strict=True)),
    }
    event = wrap(
        "score",
        data,
        event_id=derived_id("score", "default", "key", "k", 3, repr(7.5)),
        source="/stillwatch/worker",
        subject='ac"me',
        time_s=7.5,
        version=1,
        partition_key='ac"me',
    )
    (record,) = output_records(Outputs(scores=[row]))
    assert record.value == encode(event)


def test_a_dead_letter_is_keyed_by_where_it_came_from() -> None:
    """All letters of one source partition lie in one place."""
    letter = DeadLetter(
        topic="t",
        partition=3,
        offset=9,
        reason="why",
        kind="MalformedRecord",
        expected="JSON",
        byte_length=1,
        sha256="00",
        head_b64="eA==",
    )
    (record,) = output_records(Outputs(dead_letters=[letter]))
    assert (record.topic, record.key) == (DEAD_LETTERS, b"t/3")


def test_the_same_outputs_give_the_same_records() -> None:
    """Ids are derived, so a replay writes what was written before."""
    first = output_records(Outputs(verdicts=[change("watch", 10), change("throttle", 20)]))
    again = output_records(Outputs(verdicts=[change("watch", 10), change("throttle", 20)]))
    assert first == again
    assert len({decode(record.value or b"").id for record in first}) == 2
