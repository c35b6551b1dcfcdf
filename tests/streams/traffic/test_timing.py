"""Arrival processes."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from streams.traffic.timing import DAY_S, Pace, conversation_starts

START_S = 1_789_948_800.0
PACES: tuple[Pace, ...] = get_args(Pace)


def _starts(pace: Pace, seed: int, count: int = 120) -> np.ndarray[tuple[int, ...], np.dtype]:
    rng = np.random.default_rng(seed)
    durations = rng.lognormal(1.0, 0.5, count)
    return conversation_starts(pace, rng, durations, start_s=START_S)


@pytest.mark.parametrize("pace", PACES)
def test_starts_are_finite_seeded_and_in_the_span(pace: Pace) -> None:
    """Every process gives one finite start a conversation, the same for the same seed, and almost
    all within the span."""
    for seed in range(20):
        starts = _starts(pace, seed)
        assert starts.shape == (120,)
        assert np.isfinite(starts).all()
        assert (starts >= START_S).all()
        assert np.median(starts) < START_S + DAY_S
        assert np.array_equal(starts, _starts(pace, seed))


@pytest.mark.parametrize("pace", PACES)
def test_one_conversation_is_enough(pace: Pace) -> None:
    """A single conversation gets a start under every process."""
    assert np.isfinite(_starts(pace, 4, count=1)).all()


def test_people_sleep_and_clocks_do_not() -> None:
    """A person's longest pause is many hours long, a round-the-clock script's is not."""
    human, clock = [], []
    for seed in range(30):
        human.append(np.diff(np.sort(_starts("human", seed)) % DAY_S).max())
        clock.append(np.diff(_starts("clock", seed)).max())
    assert max(clock) < 2 * DAY_S / 120
    spread = [np.ptp(_starts("human", seed)) for seed in range(30)]
    assert np.median(spread) < 14 * 3600


@pytest.mark.parametrize("pace", ["batch", "paced", "cron"])
def test_rates_range_widely(pace: Pace) -> None:
    """The median gap of machine accounts differs by more than tenfold between accounts."""
    gaps = [np.median(np.diff(np.sort(_starts(pace, seed)))) for seed in range(60)]
    assert np.percentile(gaps, 95) > 10 * np.percentile(gaps, 5)
