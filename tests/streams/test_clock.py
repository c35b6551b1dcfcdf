"""The partition clock: the same for every batch cut, and moved by no single bad clock."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.clock import MAX_AHEAD_S, ClockedBatch, PartitionClock

T0_S = 1_750_000_000.0
TIMES = st.one_of(
    st.floats(T0_S - 1e6, T0_S + 1e6),
    st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0, 1e300, T0_S, T0_S + 3600.0]),
)


def _array(values: list[float]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


@given(
    st.lists(st.tuples(TIMES, TIMES), max_size=60),
    st.lists(st.integers(0, 60), max_size=8),
    st.sampled_from([0.0, 60.0, math.inf]),
)
def test_any_batch_cut_gives_the_same_clock(
    events: list[tuple[float, float]], cuts: list[int], lateness_s: float
) -> None:
    """Cut anywhere, event by event the clock and both marks are equal, and so is the state."""
    event_s, record_s = _array([e for e, _ in events]), _array([r for _, r in events])
    whole = PartitionClock(lateness_s)
    expected = whole.advance(event_s, record_s)
    pieces = PartitionClock(lateness_s)
    borders = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    parts = [pieces.advance(event_s[a:b], record_s[a:b]) for a, b in itertools.pairwise(borders)]
    for name in ClockedBatch.__slots__:
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(expected, name))
    assert pieces.now_s == whole.now_s


@given(st.lists(st.tuples(TIMES, TIMES), max_size=40))
def test_it_is_what_design_says(events: list[tuple[float, float]]) -> None:
    """Equal to the sentence of the design, followed one event at a time in plain Python."""
    clock = PartitionClock(lateness_s=60.0)
    got = clock.advance(_array([e for e, _ in events]), _array([r for _, r in events]))
    now_s = -math.inf
    for i, (event_s, record_s) in enumerate(events):
        vouched = record_s >= 0.0
        if math.isfinite(event_s) and vouched and event_s <= record_s + MAX_AHEAD_S:
            now_s = max(now_s, event_s)
        assert got.clock_s[i] == now_s
        assert got.late[i] == (event_s < now_s - 60.0)
    assert clock.now_s == now_s


def test_a_bad_client_clock_moves_nothing() -> None:
    """An event of the year 2099 is marked ahead; one exactly an hour ahead still counts."""
    clock = PartitionClock()
    event_s = _array([T0_S, 4.07e9, T0_S + 1.0, T0_S + 2.0 + MAX_AHEAD_S])
    got = clock.advance(event_s, _array([T0_S, T0_S, T0_S + 1.0, T0_S + 2.0]))
    assert got.clock_s.tolist() == [T0_S, T0_S, T0_S + 1.0, T0_S + 2.0 + MAX_AHEAD_S]
    assert got.ahead.tolist() == [False, True, False, False]


def test_late_events_are_marked_and_do_not_move_it_back() -> None:
    """Older than the set lateness is late; exactly that old is not."""
    clock = PartitionClock(lateness_s=10.0, now_s=T0_S)
    event_s = _array([T0_S - 10.0, T0_S - 10.5, math.nan])
    got = clock.advance(event_s, _array([T0_S] * 3))
    assert got.late.tolist() == [False, True, False]
    assert clock.now_s == T0_S


def test_an_empty_batch_and_a_record_without_a_time() -> None:
    """Nothing moves for no events, nor for a record that Kafka stored without a timestamp."""
    clock = PartitionClock(now_s=5.0)
    assert clock.advance(_array([]), _array([])).clock_s.shape == (0,)
    got = clock.advance(_array([T0_S]), _array([-1.0]))
    assert clock.now_s == 5.0
    assert got.ahead.tolist() == [True]


def test_wrong_arguments_are_said() -> None:
    """Unequal lengths, a negative lateness, a clock that is no time."""
    with pytest.raises(ValueError, match="one length"):
        PartitionClock().advance(_array([1.0]), _array([]))
    with pytest.raises(ValueError, match="lateness_s"):
        PartitionClock(lateness_s=-1.0)
    with pytest.raises(ValueError, match="now_s"):
        PartitionClock(now_s=math.nan)
