"""The whole pipeline: batch cuts change nothing, bad input is counted and goes on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from zlib import crc32

import msgspec
import numpy as np
import pytest

from detector.partition import PartitionSettings
from detector.pipeline import load_models
from streams.intake import IntakeSettings
from streams.log import LogRecord
from streams.record import ApiRequest
from streams.traffic.day import compose_day
from streams.traffic.replay import stretch
from tests.detector.builders import DAY_S, T0_S, ask, minutes, talk
from tests.detector.runs import NATIVE, Run, log_record, records_of, run_records
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
    got = run_records(
        small_day(disordered), size=size, settings=DROPPING if disordered else NATIVE
    )
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
    runs = [run_records(records_of(requests), size=n, models=models) for n in (1, 5000)]
    assert runs[0].scores() == runs[1].scores()
    changes = [c for c in runs[0].outputs.verdicts if c.scope == "key"]
    assert [c.kind for c in changes] == ["rose", "expired"]
    assert [s.requests for s in runs[0].outputs.scores if s.scope == "key"] == [10]
