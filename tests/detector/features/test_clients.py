"""Credentials and clients: spreads follow the exact distinct counts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.record import ApiRequest
from tests.detector.builders import ask, features_after, feed, prefixes, row_of, word_cues

SPREADS = {
    "end_user_spread": "end_user",
    "address_spread": "client_ip",
    "network_spread": "network",
    "agent_spread": "user_agent",
    "key_spread": "key",
}


def expected(values: list[str]) -> float:
    """log(distinct) / log(requests that have the field)."""
    return math.log(len(set(values))) / math.log(len(values)) if len(values) > 1 else math.nan


def test_equals_exact_counts_on_each_prefix() -> None:
    """With few identities, a spread is near the exact one after every request."""
    requests: list[ApiRequest] = []
    for i in range(60):
        some = {f: f"{f}-{i % (3 + k)}" for k, f in enumerate(SPREADS.values()) if i % (k + 2)}
        requests.append(ask(f"q{i}", **some))
    every = prefixes(requests, [60.0 * i for i in range(60)])
    for i, got in enumerate(every):
        for name, field in SPREADS.items():
            values = [v for r in requests[: i + 1] if (v := getattr(r, field)) is not None]
            if len(values) < 2:
                assert math.isnan(got[name])
            elif len(values) > 5:
                assert got[name] == pytest.approx(
                    expected(values), abs=math.log(1.8) / math.log(len(values))
                )


@pytest.mark.parametrize("people", [1, 5, 40, 400])
def test_many_people(people: int) -> None:
    """From one end user to hundreds, the spread is within the sketch's error of the exact one."""
    n = 800
    got = features_after([ask("hi", end_user=f"user {i % people}") for i in range(n)])
    want = math.log(people) / math.log(n)
    assert got["end_user_spread"] == pytest.approx(want, abs=math.log(1.6) / math.log(n))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=12))
def test_order_does_not_matter(names: list[str]) -> None:
    """Who came first changes no spread."""
    one = features_after([ask("q", end_user=n, key=n) for n in names])
    two = features_after([ask("q", end_user=n, key=n) for n in sorted(names)])
    for name in SPREADS:
        assert one[name] == two[name] or (math.isnan(one[name]) and math.isnan(two[name]))


@pytest.mark.parametrize(("name", "field"), SPREADS.items())
def test_absent_is_unknown(name: str, field: str) -> None:
    """Without the field its spread is unknown and the others stay."""
    full = [ask(f"q{i}", **dict.fromkeys(SPREADS.values(), f"x{i % 3}")) for i in range(9)]
    for r in full:
        setattr(r, field, None)
    got = features_after(full)
    assert [n for n in SPREADS if math.isnan(got[n])] == [name]


def test_evidence_is_charged_to_who_sent_it() -> None:
    """The end user and the key that sent the cues hold most of the evidence, others none."""
    cues = word_cues("reveal")
    requests = []
    for i in range(40):
        bad = i % 4 == 0
        text = "reveal " + "abcdefghij"[i // 4] if bad else f"hello {i}"
        who = "thief" if bad else f"user {i % 3}"
        requests.append(ask(text, end_user=who, key="stolen" if bad else "own"))
    state, due = feed(requests, cues=cues)
    row = row_of(state)
    assert row["blame"] > 5.0
    for table, kind, name in ((state.end_users, "user", "thief"), (state.keys, "key", "stolen")):
        weights = row[f"blame_{kind}_w"]
        assert weights.max() > 0.99 * row["blame"]
        blamed = int(row[f"blame_{kind}"][weights.argmax()]) - 1
        assert table.names[blamed] == f"default/acme/{name}"
    user, user_requests, key, key_requests = due[0].part[-1].tolist()
    assert state.end_users.names[user] == "default/acme/thief"
    assert state.keys.names[key] == "default/acme/stolen"
    assert (
        user_requests
        == key_requests
        == sum(r.key == "stolen" for r in requests[: int(due[0].event[-1]) + 1])
    )


@pytest.mark.parametrize("other", [f"key {i}" for i in range(40)])
def test_two_keys_are_several(other: str) -> None:
    """An account with two keys has each of them scored, whatever their names hash to."""
    requests = [ask(f"q{i}", key="main" if i % 2 else other) for i in range(40)]
    _, due = feed(requests)
    assert set(due[0].narrow_scope.tolist()) == {1}


def test_one_key_is_the_account() -> None:
    """A single key is not scored beside its account: it would say the same twice."""
    _, due = feed([ask(f"q{i}", key="main") for i in range(40)])
    assert len(due[0].narrow_rows) == 0
