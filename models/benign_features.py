"""The range of every feature over benign accounts, for the page that shows an account beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from detector.features import FEATURE_NAMES
from models.accounts import Account
from models.vectors import Samples

QUANTILES: Final = (0.05, 0.5, 0.95)


def benign_features(samples: Samples, accounts: Sequence[Account]) -> dict[str, Any]:
    """What the model card says of it: each benign account counts once, as it stood at its end.

    Returns:
        "accounts": how many; "features": name -> "known", the share of accounts whose log tells it,
        and "range", its 5th, 50th and 95th percentile over those (null where none does).
    """
    benign = {i for i, account in enumerate(accounts) if account.label == 0}
    ends: dict[int, int] = {}
    for row, (owner, requests) in enumerate(
        zip(samples.account.tolist(), samples.requests.tolist(), strict=True)
    ):
        # The first row of a point is the account as a whole; a later one is its hot frame.
        if owner in benign and (owner not in ends or requests > samples.requests[ends[owner]]):
            ends[owner] = row
    x = samples.x[sorted(ends.values())].astype(np.float64)
    features: dict[str, Any] = {}
    for column, name in enumerate(FEATURE_NAMES):
        known = x[~np.isnan(x[:, column]), column]
        quantiles = np.quantile(known, QUANTILES).tolist() if len(known) else None
        features[name] = {
            "known": round(len(known) / max(len(x), 1), 4),
            "range": None if quantiles is None else [float(f"{v:.6g}") for v in quantiles],
        }
    return {"accounts": len(x), "features": features}
