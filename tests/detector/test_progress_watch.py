"""The watch over partitions: what is stuck, and what only waits, is kept still or has nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.progress_watch import ProgressWatch
from streams.log import TopicPartition

LIMIT_S = 30.0
A, B = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.fixture
def clock() -> Iterator[float]:
    """A monotonic clock that has run for long: ten seconds more at each look."""
    return map(float, range(100_000, 1_000_000, 10))


def test_a_partition_that_does_not_move_is_stuck_after_the_limit(clock: Iterator[float]) -> None:
    """Records wait behind a position that stays: not stuck at first sight, nor before the limit;
    stuck from then on. Its neighbour, which moves, is not."""
    watch = ProgressWatch(LIMIT_S)
    found = [
        watch.look({A: 5, B: n}, {A: 9, B: 99}, room=True, monotonic_s=next(clock))
        for n in range(5)
    ]
    assert found == [[], [], [], [A], [A]]


def test_one_step_ends_the_wait(clock: Iterator[float]) -> None:
    """A partition that gives a record now and then, however slowly, is never stuck."""
    watch = ProgressWatch(LIMIT_S)
    for n in range(40):
        assert watch.look({A: n // 3}, {A: 999}, room=True, monotonic_s=next(clock)) == []


def test_a_position_that_was_set_back_counts_as_movement(clock: Iterator[float]) -> None:
    """A seek backwards starts the wait anew."""
    watch = ProgressWatch(LIMIT_S)
    for position in (5, 5, 5, 2, 2, 2):
        assert watch.look({A: position}, {A: 9}, room=True, monotonic_s=next(clock)) == []


def test_at_the_end_nothing_is_stuck(clock: Iterator[float]) -> None:
    """A partition without new records may stand for ever; so may one that stands past the end, as
    after a topic was made anew, and one whose end is not known. The wait starts when there are
    records."""
    watch = ProgressWatch(LIMIT_S)
    for ends in ({A: 5}, {A: 3}, {}):
        for _ in range(10):
            assert watch.look({A: 5}, ends, room=True, monotonic_s=next(clock)) == []
    found = [watch.look({A: 5}, {A: 6}, room=True, monotonic_s=next(clock)) for _ in range(3)]
    assert found == [[], [], [A]]


def test_while_every_poll_is_full_nobody_is_stuck(clock: Iterator[float]) -> None:
    """Full polls may leave a partition waiting for its turn; only time with room in it counts."""
    watch = ProgressWatch(LIMIT_S)
    for n in range(20):
        assert watch.look({A: 5, B: n}, {A: 9, B: 99}, room=False, monotonic_s=next(clock)) == []
    found = [watch.look({A: 5}, {A: 9}, room=True, monotonic_s=next(clock)) for _ in range(3)]
    assert found == [[], [], [A]]


def test_a_partition_that_was_kept_still_starts_anew(clock: Iterator[float]) -> None:
    """What is not being read (paused, rebuilt, elsewhere) is left out, and its wait forgotten; so
    is everything by `clear`."""
    watch = ProgressWatch(LIMIT_S)
    for at in (A, A, A, B, A, A, A):
        assert watch.look({at: 5}, {A: 9, B: 9}, room=True, monotonic_s=next(clock)) == []
    watch.clear()
    for _ in range(3):
        assert watch.look({A: 5}, {A: 9}, room=True, monotonic_s=next(clock)) == []
    assert watch.look({A: 5}, {A: 9}, room=True, monotonic_s=next(clock)) == [A]


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 20.0),  # seconds since the last look
            st.integers(0, 2),  # records read since
            st.integers(0, 2),  # records written since
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_stuck_is_a_stand_with_records_for_the_limit(
    steps: list[tuple[float, int, int, bool]],
) -> None:
    """Against a plain recount: the seconds with room since a partition was first seen standing at
    its place with records behind it, over the limit or not."""
    watch = ProgressWatch(LIMIT_S)
    now_s, position, end = 1000.0, 0, 0
    since: float | None = None
    for passed_s, read, written, room in steps:
        now_s += passed_s
        before = position
        end += written
        position = min(position + read, end)
        if position != before or position == end or since is None:
            since = 0.0
        elif room:
            since += passed_s
        found = watch.look({A: position}, {A: end}, room=room, monotonic_s=now_s)
        assert found == ([A] if since >= LIMIT_S else [])
