"""The range of features over benign accounts, as it stands on the card."""

from __future__ import annotations

import numpy as np
import pytest

from detector.features import FEATURE_NAMES, N_FEATURES
from models.accounts import Account
from models.benign_features import benign_features
from models.vectors import Samples


def account(number: int, label: int) -> Account:
    """An account without requests."""
    return Account(f"a-{number}", "g", "b", label, "chat", "bank", ())


def test_each_benign_account_counts_once_as_a_whole_at_its_end() -> None:
    """Earlier points, hot frames at the same point and extraction accounts do not count; what is
    not known is left out and told by its share."""
    rows = [(i, requests) for i in range(101) for requests in (10, 20, 20, 20)]
    x = np.full((len(rows), N_FEATURES), np.nan, np.float32)
    for row, (i, _) in enumerate(rows):
        x[row, 0] = i if row % 4 == 1 else 900.0  # the first row at the end is the account itself
        x[row, 1] = 7.0 if row % 4 == 1 and i < 25 else np.nan
    accounts = [account(i, 0) for i in range(101)] + [account(101, 1)]
    extra = np.full((1, N_FEATURES), 5000.0, np.float32)
    samples = Samples(
        np.concatenate([x, extra]),
        np.array([i for i, _ in rows] + [101], np.int64),
        np.array([requests for _, requests in rows] + [50], np.int64),
    )
    found = benign_features(samples, accounts)
    assert found["accounts"] == 101
    assert tuple(found["features"]) == FEATURE_NAMES
    first, second, third = (found["features"][name] for name in FEATURE_NAMES[:3])
    assert first == {"known": 1.0, "range": [5.0, 50.0, 95.0]}
    assert second == {"known": pytest.approx(25 / 101, abs=1e-4), "range": [7.0, 7.0, 7.0]}
    assert third == {"known": 0.0, "range": None}
