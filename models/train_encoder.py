"""Trains the encoder's head: what the mean vector of an account's encoded pieces says of it.

One logistic head over the mean vector. Since it is linear, its log-odds of the mean are the mean of
its log-odds, which is what a row keeps. Captured accounts are left out: their vectors would hold
the seed texts that the cues do not see, and with them the head did no better on other tools.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.encoder_head import EncoderHead
from models.accounts import Account
from models.encoded_texts import VectorSums

STRENGTH = 3.0
"""Inverse L2 strength, chosen by program-wise cross-validation on bank and templates."""


def fit_encoder_head(
    sums: VectorSums,
    accounts: Sequence[Account],
    use: NDArray[np.bool_],
    *,
    version: str,
    encoder: str,
) -> EncoderHead:
    """The head from the accounts where `use` (bool, shape (a,)) is set; programs weigh the same."""
    label = np.array([a.label for a in accounts])
    composed = np.array([a.source != "captures" for a in accounts])
    mine = np.flatnonzero(use & composed & (sums.counts > 0))
    means = sums.sums[mine] / sums.counts[mine, None]
    unit = np.array([accounts[i].group for i in mine.tolist()])
    _, inverse, count = np.unique(unit, return_inverse=True, return_counts=True)
    weight = 1.0 / count[inverse]
    for c in (0, 1):
        weight[label[mine] == c] /= weight[label[mine] == c].sum()
    head = LogisticRegression(C=STRENGTH, max_iter=2000, random_state=0)
    head.fit(means, label[mine], sample_weight=weight / weight.mean())
    return EncoderHead(
        version, encoder, head.coef_[0].astype(np.float32), float(head.intercept_[0])
    )
