"""The index of identities: equal to a dict, whatever is added and dropped."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.identity_index import IdentityIndex


def found(index: IdentityIndex, identities: list[int]) -> list[int]:
    """Rows of identities, -1 where absent."""
    rows: list[int] = index.find(np.array(identities, np.uint64)).tolist()
    return rows


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(1, 2**64 - 1) | st.integers(1, 300), max_size=60),
            st.lists(st.integers(0, 400), max_size=30),
        ),
        max_size=8,
    )
)
def test_equals_a_dict(steps: list[tuple[list[int], list[int]]]) -> None:
    """After every step of adding and dropping, it finds what a dict finds; 0 is never found."""
    index, want, row = IdentityIndex(), dict[int, int](), 0
    for added, dropped in steps:
        new = [identity for identity in dict.fromkeys(added) if identity not in want]
        rows = list(range(row, row + len(new)))
        row += len(new)
        index.add(np.array(new, np.uint64), np.array(rows, np.int64))
        want.update(zip(new, rows, strict=True))
        index.drop(np.array(dropped, np.int64))
        want = {identity: at for identity, at in want.items() if at not in set(dropped)}
        asked = [0, *range(1, 310), *added]
        assert found(index, asked) == [want.get(identity, -1) for identity in asked]
        assert len(index) == len(want)


def test_colliding_identities_stay_apart() -> None:
    """Identities with the same low bits fill neighbouring slots, across the table's end too."""
    identities = [(k << 32) | 63 for k in range(1, 40)]
    index = IdentityIndex()
    index.add(np.array(identities, np.uint64), np.arange(39))
    assert found(index, identities) == list(range(39))
    assert found(index, [(99 << 32) | 63, 63]) == [-1, -1]


def test_memory_an_identity() -> None:
    """At most 36 bytes an identity once it has grown."""
    index = IdentityIndex()
    rng = np.random.default_rng(1)
    for first in range(0, 100_000, 1000):
        identities = rng.integers(1, 2**63, 1000, dtype=np.uint64)
        index.add(identities, np.arange(first, first + 1000))
        assert first < 1000 or index.nbytes <= 36 * len(index) + 12
