"""The whole pipeline: batch cuts change nothing, bad input is counted and goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
import pytest

from detector.errors import DetectorError
from detector.partition import PartitionSettings
from detector.pipeline import load_models
from detector.policy import load_policy
from streams.deadletters import RatioCap
from streams.errors import TooManyBadRecords
from streams.intake import IntakeSettings
from streams.log import LogRecord
from streams.record import ApiRequest
from streams.traffic.day import compose_day
from streams.traffic.replay import stretch
from tests.detector.builders import DAY_S, T0_S, ask, minutes, talk
from tests.detector.runs import (
    NATIVE,
    Run,
    log_record,
    packaged_policy,
    records_of,
    run_records,
)
from tests.detector.tiny_models import WORD, write_tiny_models

PARTITIONS = 2
OTHER_BENIGN = 16
"""So many benign accounts are kept, and as many of the campaigns."""


@cache
def small_day(disordered: bool) -> tuple[LogRecord, ...]:
    """A composed day of some dozens of accounts, in the order in which the log received it.

    `disordered` stretches the day to three weeks, so that verdicts expire, moves a tenth of the
    events days back and some years ahead of their records.
    """
    day = compose_day(5, benign_accounts=40)
    campaigns = {c.name for c in day.campaigns}
    planted = [a for a, kind in day.truth.items() if kind in campaigns]
    benign = [a for a, kind in day.truth.items() if kind not in campaigns]
    kept = {*benign[:OTHER_BENIGN], *planted[:: max(1, len(planted) // OTHER_BENIGN)]}
    rng = np.random.default_rng(11)
    counts = dict.fromkeys(range(PARTITIONS), 0)
    out = []
    for request in stretch(day.requests, 21.0 if disordered else 1.0):
        if request.account not in kept:
            continue
        told = request.event_time_s
        copy = msgspec.structs.replace(request)
        if disordered and told is not None:
            chance = rng.random()
            if chance < 0.1:
                copy.event_time_s = told - float(rng.uniform(10.0, 6 * 86_400.0))
            elif chance < 0.11:
                copy.event_time_s = told + 4e8
        part = crc32((request.account or "").encode()) % PARTITIONS
        out.append(log_record(msgspec.json.encode(copy), counts[part], told, part))
        counts[part] += 1
    return tuple(out)


DROPPING = PartitionSettings(
    intake=IntakeSettings("native"), lateness_s=900.0, idle_s=86_400.0, recent_ids=50
)
"""Entities are dropped after a day without an event and come back as new ones."""


@cache
def whole(disordered: bool) -> Run:
    """The day in batches of 5,000."""
    settings = DROPPING if disordered else NATIVE
    return run_records(small_day(disordered), size=5000, settings=settings)


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("disordered", [False, True])
def test_batch_cuts_change_nothing(disordered: bool, size: int) -> None:
    """Alerts, verdict changes, scores, state and counts are byte for byte the same in batches of
    1, 7 and 5,000; also when entities are dropped and events come late or ahead of time."""
    want = whole(disordered)
    got = run_records(small_day(disordered), size=size, settings=DROPPING if disordered else NATIVE)
    assert got.alerts() == want.alerts()
    assert got.outputs.verdicts == want.outputs.verdicts
    assert got.scores() == want.scores()
    assert got.state() == want.state()
    assert got.outputs.counts == want.outputs.counts


def test_the_day_that_is_cut_says_something() -> None:
    """The days compared above hold alerts, several steps, late and early events and drops."""
    for disordered in (False, True):
        out = whole(disordered).outputs
        assert len(out.alerts) > 5
        assert {c.to_level for c in out.verdicts} >= {"watch", "throttle"}
        assert any(c.kind == "expired" for c in out.verdicts) is disordered
        assert (out.counts["evicted"] > 10) is disordered
        assert (out.counts["late"] > 10) is disordered
        assert (out.counts["ahead_of_time"] > 5) is disordered


def test_an_expired_verdict_is_gone_for_every_batch_cut(tmp_path: Path) -> None:
    """A verdict on a key that ends within a batch is over for the scorings behind its end: the
    key's quiet scoring is not put out, in one batch as in batches of 1."""
    models = load_models(write_tiny_models(tmp_path))

    def chat(text: str, key: str) -> ApiRequest:
        return talk(("user", "hi"), ("assistant", "yes?"), ("user", text), account="a", key=key)

    harvest = [
        ask(f"{WORD if i < 2 else 'plain'} {i} {letter}", account="a", key="k1")
        for i, letter in enumerate("abcdefghij")
    ]
    before = [*(chat(f"so {c}?", "k2") for c in "stuvwxyz"), *harvest, chat("k", "k1")]
    # the key's 20th request comes before the account's 30th, so nothing else looks at the time
    after = [chat("t", "k2"), *(chat(f"and {c}?", "k1") for c in "lmnopqrstuvw")]
    requests = [*before, *after]
    times = [*minutes(len(before)), *(T0_S + 20 * DAY_S + 60.0 * i for i in range(len(after)))]
    for number, (request, at_s) in enumerate(zip(requests, times, strict=True)):
        request.event_id, request.event_time_s = f"e{number}", at_s
    # the key's verdict is to rest on its score
    policy = packaged_policy().model_copy(update={"cue_watch_pieces": 3})
    runs = [
        run_records(records_of(requests), size=n, models=models, policy=policy) for n in (1, 5000)
    ]
    assert runs[0].scores() == runs[1].scores()
    changes = [c for c in runs[0].outputs.verdicts if c.scope == "key"]
    assert [c.kind for c in changes] == ["rose", "expired"]
    assert [s.requests for s in runs[0].outputs.scores if s.scope == "key"] == [10]


def native(**fields: Any) -> bytes:
    """A native record with some fields replaced."""
    good = {
        "account": "acme",
        "event_id": "e",
        "event_time_s": T0_S,
        "messages": [{"role": "user", "text": "hello"}],
        "status": 200,
    }
    return json.dumps(good | fields).encode()


BAD: dict[str, tuple[bytes, str]] = {
    "unknown format": (b'{"colour": "red", "size": 3}', "format not known"),
    "broken JSON": (native()[:-9], "JSON"),
    "no UTF-8": (b"\xff\xfe\x00a", "JSON or text"),
    "nothing": (b"", "a record"),
    "NUL bytes": (b"\0\0\0", "binary data"),
    "a number": (b"42", "format not known"),
    "an array of nothing": (b"[]", "format not known"),
    "time in words": (native(event_time_s="yesterday"), "event_time_s"),
    "negative time": (native(event_time_s=-5e9), "event_time_s"),
    "time far past": (native(event_time_s=9e17), "event_time_s"),
    "messages no list": (native(messages=5), "messages"),
    "role no text": (native(messages=[{"role": 5}]), "messages[0].role"),
    "account a list": (native(account=["a"]), "account"),
    "tokens in words": (native(input_tokens="many"), "input_tokens"),
    "negative tokens": (native(output_tokens=-5), "output_tokens"),
    "huge tokens": (native(output_tokens=10**400), "output_tokens"),
    "large tokens": (native(input_tokens=2**62), "input_tokens"),
    "status a list": (native(status=[200]), "status"),
    "NaN": (native(temperature=math.nan), "JSON"),
    "infinite time": (native(event_time_s=math.inf), "JSON"),
    "number past float": (native(temperature=0).replace(b": 0", b": 1e400"), "out of range"),
    "deep nesting": (b'{"account": ' + b"[" * 200_000, "deep nesting"),
    "17 MB": (native(system="x" * 17_000_000), "a record of at most"),
}
"""Name -> record and the field that its reason names, or words of it where the whole is wrong."""

FIELDS = frozenset(
    {"event_time_s", "messages", "messages[0].role", "account", "input_tokens", "output_tokens",
     "status"}
)  # fmt: skip

ODD: dict[str, bytes] = {
    "NUL in text": native(event_id="1", account="a\0b", messages=[{"role": "user", "text": "\0"}]),
    "lone surrogate": native(event_id="2", messages=[{"role": "user", "text": "\ud800 x"}]),
    "surrogate account": native(event_id="3\udc00", account="ac\udc00me", end_user="\ud800"),
    "surrogate bytes": native(event_id="4").replace(b"hello", b"\xed\xa0\x80"),
    "10 MB": native(event_id="5", messages=[{"role": "user", "text": "so much " * 1_300_000}]),
    "huge numbers": native(event_id="6", temperature=1e308, max_tokens=2**63 - 1, n=2**60),
    "no text": native(event_id="7", messages=[]),
    "no account": native(event_id="8", account=None),
    "a year ahead": native(event_id="9", event_time_s=T0_S + 365 * DAY_S),
    "20 years back": native(event_id="10", event_time_s=T0_S - 20 * 365 * DAY_S),
}
"""Name -> record that is unusual and still a request."""


@pytest.mark.parametrize("named", [None, "native"])
def test_bad_records_are_dead_letters(named: str | None) -> None:
    """Each bad record, alone and after a good one, is one dead letter with its coordinates and a
    reason that names the field; nothing else comes of it."""
    settings = PartitionSettings(intake=IntakeSettings(named))
    for first in ([], [log_record(native(event_id="good"), 0, T0_S)]):
        for name, (value, said) in BAD.items():
            out = run_records([*first, log_record(value, 7, T0_S, 0)], settings=settings).outputs
            assert len(out.dead_letters) == out.counts["dead_letters"] == 1, name
            (letter,) = out.dead_letters
            assert (letter.topic, letter.partition, letter.offset) == ("llm.requests", 0, 7), name
            assert letter.byte_length == len(value), name
            assert out.counts["requests"] == len(first), name
            assert letter.reason.startswith("field " if letter.field else "expected "), name
            if said in FIELDS:
                assert letter.field == said, name
                assert repr(said) in letter.reason, name
            elif named is None:  # a named format finds some of them earlier, in other words
                assert said in letter.reason, name


@pytest.mark.parametrize("named", [None, "native"])
def test_odd_records_are_read(named: str | None) -> None:
    """NUL bytes, lone surrogates, ten megabytes, huge numbers and wild clocks are read, alone and
    after a good record, through every scoring point."""
    settings = PartitionSettings(intake=IntakeSettings(named), keep_facts=True)
    for first in ([], [log_record(native(event_id="good"), 0, T0_S)]):
        for name, value in ODD.items():
            out = run_records([*first, log_record(value, 7, T0_S)], settings=settings).outputs
            assert not out.dead_letters, (name, out.dead_letters)
            assert out.counts["requests"] == len(first) + 1, name
    every = [
        log_record(value.replace(b'"event_id": "', f'"event_id": "{n}-'.encode()), i, T0_S)
        for i, (n, value) in enumerate((n, value) for n in range(12) for value in ODD.values())
        if len(value) < 10_000
    ]
    out = run_records(every, settings=settings).outputs
    assert out.counts["requests"] == len(every) == 12 * (len(ODD) - 1)
    assert out.counts["unattributed"] == out.counts["ahead_of_time"] == 12
    assert out.counts["late"] == 12
    assert all(math.isfinite(s.score) and 0.0 < s.p_value <= 1.0 for s in out.scores)
    assert max(s.requests for s in out.scores if s.account == "acme") == 12 * 6


def test_a_repeated_id_counts_once() -> None:
    """The same record fifty times, and the same id with another text, is one request."""
    records = [log_record(native(), i, T0_S) for i in range(50)]
    records.append(log_record(native(system="other"), 50, T0_S))
    got = run_records(records, settings=NATIVE)
    assert got.outputs.counts["requests"] == 1
    assert got.outputs.counts["duplicates"] == 50
    (row,) = got.outputs.scores
    assert (row.requests, row.new_pieces) == (1, 1)


def test_a_fallback_answer_and_retries_count_once() -> None:
    """The same prompt sent again to a fallback model, and after a failed attempt, is one new
    piece of one resampled prompt."""
    asked = [
        ask("How do tides work?", model="large", status=529, event_id="1"),
        ask("How do tides work?", model="large", event_id="2"),
        ask("How do tides work?", model="small", model_served="small", event_id="3"),
    ]
    for request, at_s in zip(asked, minutes(3), strict=True):
        request.event_time_s = at_s
    (row,) = run_records(records_of(asked)).outputs.scores
    assert (row.requests, row.new_pieces) == (3, 1)


def test_events_out_of_order_are_late_and_move_no_clock_back() -> None:
    """Events in reverse order: all but the first hour's are late, and every one is counted."""
    asked = [
        ask(f"question {i} about {c}", event_id=f"{i}", event_time_s=T0_S - 1800.0 * i)
        for i, c in enumerate("abcdefghijkl")
    ]
    got = run_records(records_of(asked))
    assert got.outputs.counts["requests"] == 12
    assert got.outputs.counts["late"] == 9
    assert {s.at_s for s in got.outputs.scores} <= {r.event_time_s for r in asked}


def test_the_cap_counts_records_and_stops_the_run() -> None:
    """A log of which more than half cannot be read stops at the same record for every batch cut,
    with a sentence that says what to do; a third of bad records does not stop it."""
    good, bad = native(event_id="g"), b'{"colour": "red"}'
    wrong = [log_record(bad if i % 5 < 3 else good, i, T0_S) for i in range(1000)]
    seen = []
    for size in (1, 7, 5000):
        cap = RatioCap(0.5)
        with pytest.raises(TooManyBadRecords, match="stillwatch inspect") as stopped:
            run_records(wrong, size=size, cap=cap)
        seen.append((stopped.value.bad, stopped.value.seen, cap.seen_total, cap.bad_total))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1] == 200
    some = [log_record(bad if i % 3 == 0 else good, i, T0_S) for i in range(600)]
    assert run_records(some, cap=RatioCap(0.5)).outputs.counts["dead_letters"] == 200


def test_start_up_stops_with_one_sentence(tmp_path: Path) -> None:
    """No model, a card that names an unknown feature, or a policy that cannot be read: one
    sentence that names the file and says what to do."""
    models = write_tiny_models(tmp_path / "models")
    card = json.loads((models / "account.json").read_text())
    renamed = [*card["features"][:-1], "moon_phase"]
    (models / "account.json").write_text(json.dumps(card | {"features": renamed}))
    policy = tmp_path / "policy.toml"
    policy.write_text("version = ")
    nowhere = tmp_path / "nowhere"
    told = {}
    starts: dict[str, Callable[[], object]] = {
        "nowhere": lambda: load_models(nowhere),
        "moon_phase": lambda: load_models(models),
        "policy.toml": lambda: load_policy(policy),
        "absent.toml": lambda: load_policy(tmp_path / "absent.toml"),
    }
    for name, start in starts.items():
        with pytest.raises(DetectorError) as stopped:
            start()
        told[name] = str(stopped.value)
    for name, text in told.items():
        assert name in text
        assert "\n" not in text
        assert "train it" in text or "correct the file" in text
