"""Batches shrink at once when they are slow and grow again when they are not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.batch_size import BatchSize


def test_a_fast_worker_takes_all_it_may() -> None:
    """At usual speed the size stays what the settings say."""
    size = BatchSize(2000, 75.0)
    for seconds in (0.0, 0.1, 2.0, 74.0):
        size.took(2000, seconds)
        assert size.now == 2000


def test_a_slow_batch_makes_the_next_fit_and_it_grows_back() -> None:
    """A batch that took four times its time: a quarter next; then twice as many each time."""
    size = BatchSize(2000, 75.0)
    size.took(2000, 300.0)
    assert size.now == 500
    sizes = []
    for _ in range(3):
        size.took(size.now, 0.1)
        sizes.append(size.now)
    assert sizes == [1000, 2000, 2000]


def test_a_small_batch_tells_as_much() -> None:
    """Few records that were slow shrink it too; none tell nothing."""
    size = BatchSize(2000, 10.0)
    size.took(4, 20.0)
    assert size.now == 2
    size.took(0, 1000.0)
    assert size.now == 2


@given(st.lists(st.floats(0.0001, 500.0), min_size=1, max_size=20))
def test_at_a_steady_cost_no_second_batch_is_over_the_limit(costs: list[float]) -> None:
    """Whatever a record costs, one batch is enough to learn it, down to one record at a time."""
    size = BatchSize(1000, 60.0)
    for cost_s in costs:
        size.took(size.now, size.now * cost_s)
        assert size.now >= 1
        assert size.now == 1 or size.now * cost_s <= 60.0 * 1.001
