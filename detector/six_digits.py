"""Rounding to six significant digits, whole arrays at a time."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_POWERS: Final = np.array([float(f"1e{e}") for e in range(-7, 16)])
_SCALES: Final = np.array([float(f"1e{abs(e)}") for e in range(-12, 10)])
"""Powers of ten of the exponents -12 to 9, all as positive ones: so each is exact."""
_FIRST_ABOVE_ONE: Final = 13


def six_digits(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """What `float(f"{value:.6g}")` gives for each value, in an array of any shape; NaN stays NaN.

    A value from 1e-7 up to 1e15 is scaled to 100,000 to 1,000,000 by one exact power of ten.
    Upwards the product is exact (24 bits times at most 28); downwards the quotient is exact or too
    far from a half for its last bit to matter. So its nearest integer is the right one, and one
    division (or product) of exact numbers gives the double that is nearest to the decimal. What
    lies outside is printed and read, value by value.
    """
    sizes = np.abs(np.nan_to_num(values, nan=1.0)).astype(np.float64)
    inside = (sizes >= _POWERS[0]) & (sizes < _POWERS[-1])
    sizes[~inside] = 1.0
    at = np.searchsorted(_POWERS, sizes, side="right") - 1
    scales = _SCALES[at]
    rounded = np.where(
        at < _FIRST_ABOVE_ONE, np.rint(sizes * scales) / scales, np.rint(sizes / scales) * scales
    )
    out: NDArray[np.float64] = np.where(values < 0.0, -rounded, rounded)
    out[np.isnan(values)] = np.nan
    for place in zip(*np.nonzero(~inside & (values != 0.0)), strict=True):
        out[place] = float(f"{float(values[place]):.6g}")
    zeros = values == 0.0
    out[zeros] = values[zeros]  # with its sign
    return out
