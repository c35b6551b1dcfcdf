"""Sign-up: accounts that were made in the same ten minutes, where the log says when.

False friend: a class, a hackathon or a launch day signs up together.
"""

from __future__ import annotations

import numpy as np

from detector.hashing import combine
from streams.jit import njit

FAMILY = "signup"
KINDS = ("signup",)
FALSE_FRIEND = "a class, a hackathon or a launch day signs up together"

STEP_S = 600.0

_SIGNUP = np.uint64(151)


@njit(cache=True)
def signup_key(created_s: float) -> np.uint64:
    """Link key of the moment at which an account was made; 0 where unknown."""
    if np.isnan(created_s):
        return np.uint64(0)
    return combine(_SIGNUP, np.uint64(np.int64(np.floor(created_s / STEP_S))))
