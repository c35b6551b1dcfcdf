"""Parameters: model, temperature, n, token limit, logprobs, stream, output format as one tuple.

False friend: the defaults of a client library; a tuple counts only beside another kind of link.
"""

from __future__ import annotations

import numpy as np

from detector.features.row import Row
from detector.hashing import combine
from streams.jit import njit

FAMILY = "parameters"
KINDS = ("parameters",)
FALSE_FRIEND = "the defaults of a client library"

_PARAMETERS = np.uint64(121)
_NONE = np.uint64(0xFFFFFFFF)


@njit(cache=True)
def _level(value: float) -> np.uint64:
    """A number in thousandths; a number of its own where the log has none."""
    if np.isnan(value):
        return _NONE
    return np.uint64(np.int64(np.rint(min(max(value, -1e9), 1e9) * 1000.0)))


@njit(cache=True)
def parameters_key(e: Row) -> np.uint64:
    """Link key of an event's parameters; 0 where the log does not even tell the model."""
    if e.model == 0:
        return np.uint64(0)
    h = combine(_PARAMETERS, e.model)
    for value in (e.temperature, e.n, e.max_tokens, e.top_logprobs, e.logit_bias):
        h = combine(h, _level(value))
    for flag in (e.stream, e.logprobs, e.structured):
        h = combine(h, np.uint64(np.int64(flag) + 1))
    return h
