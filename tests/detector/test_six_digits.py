"""Rounding of whole arrays is that of Python's own format, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.six_digits import six_digits

FLOATS = st.floats(width=32)
HALVES = st.integers(-(2**24), 2**24).flatmap(
    lambda n: st.integers(0, 24).map(lambda k: float(np.float32(n / 2.0**k)))
)
"""Values that lie exactly between two decimals are among these."""


def printed(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    """The values rounded one by one, as bits."""
    flat = [float(f"{value:.6g}") for value in values.ravel().tolist()]
    return np.array(flat, np.float64).tobytes()


@given(st.lists(FLOATS | HALVES, min_size=1, max_size=60))
def test_the_bits_are_those_of_the_format(given_values: list[float]) -> None:
    """Any float32, among them ties, zeros of both signs, infinities, NaN and denormal numbers."""
    values = np.array(given_values, np.float32)
    values[np.isnan(values)] = np.nan  # one of many bit patterns
    found = six_digits(values)
    assert found.shape == values.shape
    assert found.tobytes() == printed(values)


@pytest.mark.parametrize("towards", [0.0, 1.0, np.inf])
def test_the_powers_of_ten_and_their_neighbours(towards: float) -> None:
    """Where the number of digits before the point changes, and where the fast way begins and
    ends."""
    powers = np.array([float(f"1e{e}") for e in range(-45, 39)], np.float32)
    values = np.nextafter(powers, np.float32(towards)) if towards != 1.0 else powers
    both = np.stack([values, -values])
    assert six_digits(both).tobytes() == printed(both)


def test_many_random_patterns() -> None:
    """A hundred thousand values in the range of features."""
    rng = np.random.default_rng(7)
    values = rng.random(100_000, np.float32) * np.float32(10.0) ** rng.integers(-8, 16, 100_000)
    values = values.astype(np.float32)
    assert six_digits(values).tobytes() == printed(values)
