"""The largest score of each account: streaming equals a recount over all looks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detector.running_maxima import COUNTED_FROM, RunningMaxima

LOOKS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 400), st.floats(0, 1, width=32)), max_size=60
)


@given(looks=LOOKS, most=st.sampled_from([None, 200]), cut=st.integers(0, 60))
def test_equals_a_plain_recount(
    looks: list[tuple[int, int, float]], most: int | None, cut: int
) -> None:
    """However the looks are cut into batches, each account has the largest of those that count:
    from the first scoring point to the bound, if there is one; NaN without any."""
    maxima = RunningMaxima(most)
    for part in (looks[:cut], looks[cut:]):
        owner, requests, scores = zip(*part, strict=True) if part else ((), (), ())
        maxima.add(
            np.array(owner, np.int64), np.array(requests, np.int64), np.array(scores, np.float32)
        )
    got = maxima.values(8)
    for account in range(8):
        mine = [s for o, r, s in looks if o == account and COUNTED_FROM <= r <= (most or 400)]
        if mine:
            assert got[account] == max(mine)
        else:
            assert np.isnan(got[account])
