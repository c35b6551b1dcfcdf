"""A place in all partitions as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.store.positions import read_positions, write_positions


@given(st.dictionaries(st.integers(0, 9_999_999), st.integers(0, 10**18 - 1)))
def test_what_is_written_is_read(positions: dict[int, int]) -> None:
    """Equal positions give equal text, whatever their order."""
    text = write_positions(positions)
    assert read_positions(text) == positions
    assert write_positions(dict(reversed(positions.items()))) == text


@given(st.text())
def test_any_text_is_positions_or_an_error(text: str) -> None:
    """Offsets that are read fit a database's integer."""
    try:
        found = read_positions(text)
    except ValueError:
        return
    assert all(
        0 <= partition < 2**31 and 0 <= offset < 2**63 for partition, offset in found.items()
    )


@pytest.mark.parametrize("text", ["1", "1:", ":1", "1:2,", " 1:2", "-1:2", "1:2;3:4", "1:2\n"])
def test_what_is_no_list_is_refused(text: str) -> None:
    """No guess is made."""
    with pytest.raises(ValueError, match="partition:offset"):
        read_positions(text)
