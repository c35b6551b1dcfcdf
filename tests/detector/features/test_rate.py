"""Rate shape: features equal numpy on the gaps, and do not depend on the speed of the clock."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.record import ApiRequest
from tests.detector.builders import (
    DAY_S,
    HALF_LIFE_S,
    T0_S,
    agree,
    ask,
    features_after,
    features_of,
    feed,
    prefixes,
    row_of,
)

SHAPES = ("gap_regularity", "log_gap_spread", "gap_autocorrelation")
GAPS = st.lists(
    st.sampled_from([0.5, 1.0, 3.0, 20.0, 61.0, 300.0, 3600.0, 30_000.0, 90_000.0]),
    min_size=1,
    max_size=40,
)


def at(gaps: list[float]) -> list[float]:
    """Times of the first request and of one after each gap."""
    times: list[float] = (T0_S + np.cumsum([0.0, *gaps])).tolist()
    return times


def asks(n: int) -> list[ApiRequest]:
    """n equal requests."""
    return [ask("hi") for _ in range(n)]


def expected(times: list[float], created_s: float = math.nan) -> dict[str, float]:
    """Every feature from its definition, with forward decay over the requests' times."""
    t = np.array(times)
    w = 2.0 ** ((t - t[0]) / HALF_LIFE_S)
    gaps, gw = np.diff(t), w[1:]
    want = dict.fromkeys(
        (*SHAPES, "day_flatness", "longest_idle_h", "requests_per_day", "ramp_h"), math.nan
    )
    if len(t) >= 5:
        center = np.average(gaps, weights=gw)
        sd = math.sqrt(np.average((gaps - center) ** 2, weights=gw))
        want["gap_regularity"] = (sd - center) / (sd + center)
        logs = np.log(gaps + 0.01)
        logs -= logs[0]  # counted from the first, so that the unit of time does not matter
        log_center = np.average(logs, weights=gw)
        variance = np.average((logs - log_center) ** 2, weights=gw)
        want["log_gap_spread"] = math.sqrt(variance)
        if variance > 1e-3:
            cross = np.average(logs[1:] * logs[:-1], weights=gw[1:])
            r = (cross - log_center**2) / variance
            want["gap_autocorrelation"] = min(max(r, -1.0), 1.0)
        else:
            del want["gap_autocorrelation"]
    if t[-1] - t[0] >= DAY_S:
        hours = np.bincount((t // 3600 % 24).astype(int), weights=w, minlength=24) / w.sum()
        want["day_flatness"] = -sum(p * math.log(p) for p in hours if p > 0) / math.log(24)
        want["longest_idle_h"] = math.log1p(gaps.max() / 3600)
        want["requests_per_day"] = math.log1p(len(t) * DAY_S / (t[-1] - t[0]))
        hour = t // 3600
        busy = [x for i, x in enumerate(t) if np.sum(hour[: i + 1] == hour[i]) >= 20]
        if busy and not math.isnan(created_s):
            want["ramp_h"] = math.log1p(max(busy[0] - created_s, 0.0) / 3600)
    return want


@settings(max_examples=30, deadline=None)
@given(GAPS)
def test_equals_numpy_on_each_prefix(gaps: list[float]) -> None:
    """After every request, each feature equals numpy over the times so far."""
    times = at(gaps)
    for i, got in enumerate(prefixes(asks(len(times)), times)):
        agree(got, expected(times[: i + 1]), 5e-3)


@pytest.mark.parametrize("every_s", [0.2, 1.0, 7.0, 60.0, 3600.0])
def test_a_clockwork(every_s: float) -> None:
    """Equal gaps are perfectly regular at any pace; their correlation means nothing, so unknown."""
    got = features_after(asks(400), (T0_S + every_s * np.arange(400)).tolist())
    assert got["gap_regularity"] == pytest.approx(-1.0, abs=2e-3)
    assert got["log_gap_spread"] == pytest.approx(0.0, abs=2e-2)
    assert math.isnan(got["gap_autocorrelation"])


def test_bursts_and_alternation() -> None:
    """Bursts are above 0; gaps in turns correlate negatively, runs of gaps positively."""
    turns = features_after(asks(201), at([1.0, 100.0] * 100))
    runs = features_after(asks(201), at([1.0] * 100 + [100.0] * 100))
    bursts = features_after(asks(201), at([0.5] * 49 + [3000.0] + [0.5] * 150))
    assert turns["gap_autocorrelation"] < -0.9 < 0.9 < runs["gap_autocorrelation"]
    assert bursts["gap_regularity"] > 0.5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([10.0, 30.0]))
def test_shape_does_not_depend_on_the_speed(seed: int, slower: float) -> None:
    """Times stretched tenfold or thirtyfold leave the shape as it was, up to the decay."""
    gaps = np.random.default_rng(seed).lognormal(2.0, 1.0, 120)
    fast = features_after(asks(121), at(gaps.tolist()))
    slow = features_after(asks(121), at((gaps * slower).tolist()))
    for name in SHAPES:
        assert slow[name] == pytest.approx(fast[name], abs=0.05)


def test_absolute_rates_need_a_day() -> None:
    """Whatever the pace, absolute rates and the shape of the day stay unknown before 24 hours."""
    absolute = ("day_flatness", "longest_idle_h", "requests_per_day", "ramp_h")
    times = [T0_S + i * 100.0 for i in range(864)] + [T0_S + DAY_S - 1.0, T0_S + DAY_S]
    before = features_after([ask(account_created_s=T0_S - 7200.0)] * 865, times[:865])
    after = features_after([ask(account_created_s=T0_S - 7200.0)] * 866, times)
    assert all(math.isnan(before[name]) for name in absolute)
    assert not any(math.isnan(after[name]) for name in absolute)


@pytest.mark.parametrize("shift_h", range(1, 24, 5))
def test_flatness_does_not_depend_on_the_time_zone(shift_h: int) -> None:
    """The same days in another time zone are as flat."""
    times = [T0_S + day * DAY_S + hour * 3600.0 for day in range(4) for hour in range(9)]
    here = features_after(asks(36), times)["day_flatness"]
    there = features_after(asks(36), [t + shift_h * 3600.0 for t in times])["day_flatness"]
    assert here == pytest.approx(there, abs=1e-4)


def test_ramp() -> None:
    """The ramp runs from the account's creation to its first busy hour; unknown without either."""
    times = [T0_S + 10.0 * i for i in range(30)] + [T0_S + DAY_S]
    known = [ask(account_created_s=T0_S - 7200.0) for _ in times]
    agree(features_after(known, times), expected(times, T0_S - 7200.0))
    assert math.isnan(features_after(asks(31), times)["ramp_h"])
    slow = [T0_S + 900.0 * i for i in range(120)]
    assert math.isnan(features_after([ask(account_created_s=T0_S)] * 120, slow)["ramp_h"])


def test_late_requests_do_not_bend_the_shape() -> None:
    """Requests marked late are counted, but their old times are left out of the rates."""
    times = [T0_S + 9.0 * i * i for i in range(20)]
    plain = features_after(asks(20), times)
    old = [T0_S - 9e6] * 5
    state, _ = feed(asks(25), times + old, late=[False] * 20 + [True] * 5)
    mixed = features_of(state)
    assert row_of(state)["requests"] == 25
    for name in SHAPES:
        assert mixed[name] == pytest.approx(plain[name], abs=1e-6)


def test_an_old_time_does_not_move_the_decay() -> None:
    """A request out of order leaves the start of the decay alone: later weights are the same."""
    times = [T0_S + 60.0 * i for i in range(20)]
    plain = features_after(asks(20), times)["effective_requests"]
    moved = features_after(asks(21), [*times[:10], T0_S - 60 * DAY_S, *times[10:]])
    assert moved["effective_requests"] == pytest.approx(plain, abs=0.1)
