"""The registry of feature groups.

A group is a module with NAME, FIELDS (its part of an account's row), FEATURES (names in the order
`read` writes them) and kernels. To add one: write the module, put it into GROUPS, call its update
from `detector.kernels` and its read from `read_features` below. The contract suite in
tests/contracts runs over GROUPS.
"""

from __future__ import annotations

import hashlib
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from detector.features import (
    clients,
    diversity,
    encoder,
    frames,
    harvest,
    intent,
    rate,
    template,
    workload,
)
from streams.jit import njit

GROUPS: tuple[ModuleType, ...] = (
    intent,
    template,
    frames,
    diversity,
    harvest,
    rate,
    clients,
    workload,
    encoder,
)

FEATURE_NAMES: tuple[str, ...] = tuple(name for g in GROUPS for name in g.FEATURES)
GROUP_OF: dict[str, str] = {name: g.NAME for g in GROUPS for name in g.FEATURES}
N_FEATURES = len(FEATURE_NAMES)

_A = len(intent.FEATURES)
_T = _A + len(template.FEATURES)
_F = _T + len(frames.FEATURES)
_B = _F + len(diversity.FEATURES)
_C = _B + len(harvest.FEATURES)
_D = _C + len(rate.FEATURES)
_E = _D + len(clients.FEATURES)
_W = _E + len(workload.FEATURES)


def schema_hash() -> str:
    """Hash of row fields and feature names: state and models of another schema are refused."""
    text = repr([(g.NAME, g.FIELDS, g.FEATURES) for g in GROUPS])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@njit(cache=True)
def read_features(rows: NDArray[np.void], out: NDArray[np.float32]) -> None:
    """Feature vectors of account rows: `out` float32, shape (len(rows), N_FEATURES).

    NaN where a feature is unknown.
    """
    for i in range(rows.shape[0]):
        row = rows[i]
        intent.read(row, out[i, :_A])
        template.read(row, out[i, _A:_T])
        frames.read(row, out[i, _T:_F])
        diversity.read(row, out[i, _F:_B])
        harvest.read(row, out[i, _B:_C])
        rate.read(row, row.requests, out[i, _C:_D])
        clients.read(row, out[i, _D:_E])
        workload.read(row, out[i, _E:_W])
        encoder.read(row, out[i, _W:])
