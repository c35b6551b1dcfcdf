"""No output can be too large for its topic, whatever the input holds."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from detector.cohort_records import SIGHTINGS
from detector.output_records import ALERTS, DEAD_LETTERS, SCORES, VERDICTS, output_records
from detector.partition import PartitionSettings
from detector.pipeline import load_models
from streams.deadletters import RatioCap
from streams.intake import IntakeSettings
from streams.log import LogRecord
from streams.record import MAX_NAME_CHARS, ApiRequest
from tests.detector.builders import T0_S, ask
from tests.detector.runs import run_records
from tests.detector.tiny_models import WORD, write_tiny_models

MOST_BYTES = 900_000
"""A topic takes 1 MB a record by default; the rest is for headers and the batch around it."""

LONG = {"controls": "\x01" * 5000, "wide": "\U0001f9ea" * 5000, "quotes": '"\\' * 2500}
"""Names that grow when they are written as JSON or UTF-8."""

IDENTITIES = ("tenant", "account", "organisation", "key", "provider", "model", "endpoint")


@pytest.mark.parametrize("name", sorted(LONG))
@pytest.mark.parametrize("log_format", [None, "native"])
def test_long_names_make_no_large_output(name: str, log_format: str | None, tmp_path: Path) -> None:
    """Accounts, tenants, keys, users and event ids as long as they may be, and longer, of
    characters that double or grow sixfold in JSON: records of every topic come out, and each stays
    below the bound."""
    models = load_models(write_tiny_models(tmp_path))
    records: list[LogRecord] = []
    for length in (MAX_NAME_CHARS, 5000):
        for i in range(40):
            request = ask(f"{WORD} {i} of {i}", account="a")
            told = json.loads(msgspec.json.encode(request))
            told.update(dict.fromkeys(IDENTITIES, LONG[name][:length]))
            told.update(event_time_s=T0_S + i, end_user=LONG[name][:length])
            told["event_id"] = (f"{length}-{i}" + LONG[name])[:length]
            value = json.dumps(told).encode()
            records.append(LogRecord("llm.requests", 0, len(records), None, value, T0_S + i))
    settings = PartitionSettings(intake=IntakeSettings(log_format))
    run = run_records(records, models=models, settings=settings, cap=RatioCap(1.0))
    made = output_records(run.outputs)
    topics = {record.topic for record in made}
    assert topics == {SCORES, VERDICTS, ALERTS, DEAD_LETTERS, SIGHTINGS}
    for record in made:
        assert len(record.value or b"") + len(record.key or b"") <= MOST_BYTES, record.topic


def deep(kind: str) -> bytes:
    """A record that cannot be read and is large where a reason might quote it."""
    wide = "\x01" * 3_000_000
    good = json.loads(msgspec.json.encode(ApiRequest(account="a", event_time_s=T0_S)))
    return {
        "keys": json.dumps({wide: 1, wide + "b": 2}),
        "text": json.dumps(wide),
        "wrong type": json.dumps(good | {"account": [wide]}),
        "wrong role": json.dumps(good | {"messages": [{"role": [wide], wide: wide}]}),
        "wrong number": json.dumps(good | {"status": wide, "input_tokens": wide}),
        "wrong time": json.dumps(good | {"event_time_s": wide}),
        "digits": json.dumps(good)[:-1] + ', "n": ' + "9" * 3_000_000 + "}",
        "raw": "\x00\x01" * 1_500_000,
        "too large": " " * 17_000_000,
    }[kind].encode()


@pytest.mark.parametrize("log_format", [None, "native", "openai"])
@pytest.mark.parametrize(
    "kind",
    ["keys", "text", "wrong type", "wrong role", "wrong number", "wrong time", "digits", "raw",
     "too large"],
)  # fmt: skip
def test_a_dead_letter_stays_small(kind: str, log_format: str | None) -> None:
    """A record of megabytes, wrong in each place that a reason may quote, gives outputs below the
    bound."""
    record = LogRecord("t" * 249, 0, 2**62, None, deep(kind), 1e9)
    settings = PartitionSettings(intake=IntakeSettings(log_format))
    run = run_records([record], settings=settings, cap=RatioCap(1.0))
    made = output_records(run.outputs)
    assert made
    for out in made:
        assert len(out.value or b"") + len(out.key or b"") <= MOST_BYTES
    letters = [out for out in made if out.topic == DEAD_LETTERS]
    assert len(letters) == run.outputs.counts["dead_letters"]
    assert all(len(out.value or b"") < 200_000 for out in letters)
