"""The composed day and its campaigns."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

import pytest

from streams.record import ApiRequest
from streams.traffic.bank import load_bank
from streams.traffic.campaigns import Order, compose_campaign
from streams.traffic.day import DAY_START_S, Day, compose_day
from streams.traffic.staples import neutral_programs


@pytest.fixture(scope="module")
def day() -> Day:
    """One full day, composed without a data folder."""
    return compose_day(3)


def _by_account(day: Day) -> dict[str, list[ApiRequest]]:
    out: dict[str, list[ApiRequest]] = {}
    for request in day.requests:
        out.setdefault(request.account or "", []).append(request)
    return out


def test_truth_names_every_account(day: Day) -> None:
    """Truth and requests speak of the same accounts; campaigns' members carry its name."""
    assert set(day.truth) == set(_by_account(day))
    for campaign in day.campaigns:
        assert all(day.truth[account] == campaign.name for account in campaign.accounts)
    hidden = sum(len(campaign.accounts) for campaign in day.campaigns)
    assert len(day.truth) - hidden == 300


def test_size_order_and_kinds(day: Day) -> None:
    """20 to 40 thousand requests sorted by time, unique ids, a dozen and more benign kinds with
    the hard ones among them."""
    assert 20_000 <= len(day.requests) <= 40_000
    times = [request.event_time_s or 0.0 for request in day.requests]
    assert times == sorted(times)
    assert times[0] >= DAY_START_S
    assert len({request.event_id for request in day.requests}) == len(day.requests)
    kinds = set(day.truth.values()) - {campaign.name for campaign in day.campaigns}
    assert len(kinds) >= 12
    assert {"evaluate", "judge", "reseller", "loadtest", "redteam", "chat"} <= kinds


def test_the_wide_campaign_is_wide_and_thin(day: Day) -> None:
    """At least 100 accounts, at most 60 requests each, and no prompt asked by two of them."""
    wide = day.campaigns[0]
    traffic = _by_account(day)
    assert len(wide.accounts) >= 100
    assert all(20 <= len(traffic[account]) <= 60 for account in wide.accounts)
    seen: Counter[str] = Counter()
    for account in wide.accounts:
        seen.update({(request.messages or [])[-1].text for request in traffic[account]})
    repeated = sum(1 for count in seen.values() if count > 1)
    assert repeated < 0.1 * len(seen)


def test_the_mixed_campaign_is_a_quarter_harvest(day: Day) -> None:
    """About ten accounts of 120 requests and more; three quarters are chat in a thread or alone."""
    mixed = day.campaigns[1]
    traffic = _by_account(day)
    assert 8 <= len(mixed.accounts) <= 14
    assert mixed.share == 0.25
    assert all(120 <= len(traffic[account]) <= 400 for account in mixed.accounts)
    program = next(program for program in load_bank() if program.id == mixed.program)
    head = max(program.wordings[0].split("{")[0].split("\n"), key=len)
    text = "\n".join((request.messages or [])[-1].text for request in traffic[mixed.accounts[0]])
    count = len(traffic[mixed.accounts[0]])
    if len(head) > 12 and len(program.wordings) == 1:
        assert 0.15 * count <= text.count(head) <= 0.35 * count


def test_the_campaign_without_a_cue_is_plain(day: Day) -> None:
    """One-shot requests under a neutral frame, hot, long, round the clock, without follow-up."""
    plain = day.campaigns[2]
    traffic = _by_account(day)
    assert plain.program in {program.id for program in neutral_programs()}
    for account in plain.accounts:
        requests = traffic[account]
        assert all(request.temperature == 1.0 for request in requests)
        assert all(
            sum(message.role == "user" for message in request.messages or ()) == 1
            for request in requests
        )
        times = [request.event_time_s or 0.0 for request in requests]
        assert max(b - a for a, b in pairwise(times)) < 3 * 3600


def test_same_seed_same_day() -> None:
    """A day is a function of its seed; another seed gives other accounts."""
    one = compose_day(5, benign_accounts=60)
    assert one == compose_day(5, benign_accounts=60)
    assert set(one.truth).isdisjoint(compose_day(6, benign_accounts=60).truth)


def test_a_day_composes_without_a_bank() -> None:
    """With an empty bank the staples still give a day with three campaigns."""
    made = compose_day(1, benign_accounts=30, programs=())
    assert len(made.campaigns) == 3
    assert len(made.truth) > 130


def test_a_day_takes_seconds() -> None:
    """Composing a full day takes less than 20 s."""
    begin = time.perf_counter()
    compose_day(9)
    assert time.perf_counter() - begin < 20


def test_accounts_of_a_campaign_start_within_the_stagger() -> None:
    """Without stagger a paced campaign's accounts are active at once; a share needs chat."""
    order = Order("x", neutral_programs()[0], accounts=12, budget=(30, 40), pace="clock", stagger=0)
    truth, requests = compose_campaign(order, start_s=DAY_START_S, seed=4)
    first: dict[str, float] = {}
    for request in requests:
        first.setdefault(request.account or "", request.event_time_s or 0.0)
    assert set(first) == set(truth.accounts)
    assert max(first.values()) - DAY_START_S < 3600
    with pytest.raises(ValueError, match="needs chat"):
        compose_campaign(
            Order("x", neutral_programs()[0], accounts=2, budget=(30, 40), share=0.5),
            start_s=DAY_START_S,
            seed=4,
        )
