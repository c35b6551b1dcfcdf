"""When a worker tries again: for ever, for a while, or not at all."""

from __future__ import annotations

import pytest

from detector.progress_watch import StuckPartitions
from detector.retries import FIRST_WAIT_S, LONGEST_WAIT_S, Retries, is_fence
from streams.log import (
    Evicted,
    Fenced,
    GroupMoved,
    LogError,
    LogFull,
    OffsetOutOfRange,
    RecordRefused,
    UnknownTopic,
    Unreachable,
)

GIVE_UP_S = 60.0
FAR_S = 30 * 86_400.0


@pytest.mark.parametrize("kind", [Fenced, RecordRefused])
def test_what_is_for_good_ends_it_at_once(kind: type[LogError]) -> None:
    """Another worker of the name, and a record that can never be written: no second try."""
    error = kind("for good")
    with pytest.raises(kind) as caught:
        Retries(GIVE_UP_S).failed(error, 0.0)
    assert caught.value is error


@pytest.mark.parametrize("kind", [Unreachable, Evicted])
def test_a_log_that_is_away_is_waited_for_without_end(kind: type[LogError]) -> None:
    """A month without Kafka, or of being thrown out: still trying."""
    retries = Retries(GIVE_UP_S)
    for monotonic_s in (0.0, GIVE_UP_S, FAR_S):
        assert retries.failed(kind("away"), monotonic_s) > 0.0


@pytest.mark.parametrize(
    "kind", [LogError, GroupMoved, UnknownTopic, OffsetOutOfRange, StuckPartitions, LogFull]
)
def test_anything_else_gets_its_time(kind: type[LogError]) -> None:
    """Tried until `give_up_s` after the first failure of the streak, then raised as it is."""
    retries = Retries(GIVE_UP_S)
    for monotonic_s in (5.0, 6.0, 5.0 + GIVE_UP_S - 0.001):
        retries.failed(kind("odd"), monotonic_s)
    last = kind("odd")
    with pytest.raises(kind) as caught:
        retries.failed(last, 5.0 + GIVE_UP_S)
    assert caught.value is last


def test_waits_double_up_to_the_longest_and_start_anew() -> None:
    """0.2 s, then twice as long each time, never over ten; a turn that went well ends the streak:
    the wait and the time that an odd error gets start anew."""
    retries = Retries(GIVE_UP_S)
    waits = [retries.failed(Unreachable("away"), float(n)) for n in range(9)]
    assert waits[:4] == [FIRST_WAIT_S, 0.4, 0.8, 1.6]
    assert waits[-1] == LONGEST_WAIT_S == max(waits)
    retries.went_well()
    assert retries.failed(LogError("odd"), 1000.0) == FIRST_WAIT_S
    assert retries.failed(LogError("odd"), 1000.0 + GIVE_UP_S - 1.0) == 2 * FIRST_WAIT_S


def test_quiet_turns_end_a_streak_only_after_a_while() -> None:
    """A worker that joins, rebuilds and polls nothing before each failing commit gives up all the
    same; one that had nothing to do for `give_up_s` has no streak any more."""
    retries = Retries(GIVE_UP_S)
    for monotonic_s in (0.0, 20.0, 40.0):
        retries.failed(LogError("odd"), monotonic_s)
        retries.quiet(monotonic_s + 5.0)
        retries.quiet(monotonic_s + 15.0)
    with pytest.raises(LogError):
        retries.failed(LogError("odd"), 60.0)
    retries.quiet(61.0)
    retries.quiet(61.0 + GIVE_UP_S)
    assert retries.failed(LogError("odd"), 200.0) == FIRST_WAIT_S


def test_a_long_outage_leaves_odd_errors_their_time() -> None:
    """A broker that comes back after an hour may still be loading its topics: what it says then has
    `give_up_s` of its own, although the streak is older."""
    retries = Retries(GIVE_UP_S)
    retries.failed(Unreachable("away"), 0.0)
    retries.failed(Unreachable("away"), 3600.0)
    retries.failed(UnknownTopic("loading"), 3601.0)
    retries.failed(UnknownTopic("loading"), 3601.0 + GIVE_UP_S - 1.0)
    with pytest.raises(UnknownTopic):
        retries.failed(UnknownTopic("gone"), 3601.0 + GIVE_UP_S)


@pytest.mark.parametrize(
    ("kind", "fence"),
    [(Fenced, True), (Evicted, False), (GroupMoved, False), (Unreachable, False)],
)
def test_only_a_taken_name_is_a_fence(kind: type[LogError], fence: bool) -> None:
    """Eviction and a moved group are errors of the kind Fenced, and nobody took the name."""
    assert is_fence(kind("x")) is fence
