"""From a pipeline's outputs to one number an account."""

from __future__ import annotations

import numpy as np

from detector.assessment import Scope
from detector.benign_scores import BenignScores
from detector.outputs import Outputs
from detector.score_row import ScoreRow


def look(
    account: str, requests: int, score: float, *, tenant: str = "default", scope: Scope = "account"
) -> Outputs:
    """The output of one scoring."""
    vector = np.zeros(1, np.float32)
    row = ScoreRow(tenant, account, scope, account, 0.0, requests, 1, 0, score, 0.5, vector)
    return Outputs(scores=[row])


def test_one_number_an_account() -> None:
    """The largest score of whole accounts counts, over batches; the same name under another tenant
    is another account; one that never reached a scoring point is counted apart."""
    found = BenignScores()
    for out in (
        look("a", 10, 0.2),
        look("a", 20, 0.5),
        look("a", 30, 0.1),
        look("a", 10, 0.9, scope="key"),
        look("a", 12, 0.4, tenant="t"),
        look("b", 9, 0.8),
    ):
        found.add(out)
    assert found.table().tolist() == [0.4, 0.5]
    assert found.too_short == 1


def test_named_accounts_are_left_out() -> None:
    """By name in every tenant, or by tenant and name; names that were not seen are not counted."""
    found = BenignScores({"a", "t/b", "absent"})
    for out in (
        look("a", 10, 0.1),
        look("a", 10, 0.2, tenant="t"),
        look("b", 10, 0.3),
        look("b", 10, 0.4, tenant="t"),
    ):
        found.add(out)
    assert found.table().tolist() == [0.3]
    assert found.left_out == {"a", "t/b"}
