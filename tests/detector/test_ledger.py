"""The ledger over made-up outputs."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np

from detector.features import N_FEATURES
from detector.ledger import AccountSummary, Ledger
from detector.outputs import Outputs
from detector.reasons import CODE_WORDS
from detector.score_row import ScoreRow
from detector.verdict_change import VerdictChange, Versions


def change(to_level: str, at: int, scope: str = "account", **fields: Any) -> VerdictChange:
    """A change of account "acme" (or of a key under it) at its n-th request."""
    given = {
        "tenant": "default",
        "scope": scope,
        "scope_id": "acme" if scope == "account" else "acme/k1",
        "account": "acme",
        "organisation": None,
        "kind": "rose",
        "from_level": "allow",
        "to_level": to_level,
        "proposed_level": None,
        "at_s": float(at),
        "expires_at_s": None,
        "enforced": True,
        "suppressed": False,
        "reason_code": "two-groups",
        "main_group": "harvest",
        "groups": ("harvest",),
        "account_requests": at,
        "versions": Versions("p", "m", "f"),
    }
    return VerdictChange(**{**given, **fields})


def score(account: str, value: float, requests: int, scope: Any = "account") -> ScoreRow:
    """A scoring with counts that tell it apart."""
    vector = np.full(N_FEATURES, np.nan, np.float32)
    return ScoreRow(
        "default", account, scope, account, 0.0, requests, requests - 1, 2, value, 0.5, vector
    )


def only(ledger: Ledger) -> AccountSummary:
    """The one account of a ledger."""
    (found,) = ledger.summaries()
    return found


def test_counts_and_score_are_those_of_the_last_account_scoring() -> None:
    """A later scoring replaces an earlier one; that of a key under the account does not."""
    ledger = Ledger()
    ledger.add(Outputs(scores=[score("acme", 0.2, 10), score("acme", 0.9, 99, "key")]))
    ledger.add(Outputs(scores=[score("acme", 0.4, 20)]))
    found = only(ledger)
    assert (found.requests, found.new_pieces, found.cue_pieces, found.score) == (20, 19, 2, 0.4)


def test_first_verdicts_are_counted_in_the_accounts_requests_in_any_scope() -> None:
    """The first step to watch or above, and to throttle or above, in whatever scope they came."""
    ledger = Ledger()
    ledger.add(Outputs(verdicts=[change("watch", 10), change("restrict", 20, "key")]))
    ledger.add(Outputs(verdicts=[change("throttle", 30), change("watch", 40, "key")]))
    found = only(ledger)
    assert (found.first_watch_at, found.first_throttle_at) == (10, 20)


def test_a_jump_to_throttle_is_the_first_watch_too() -> None:
    """An account that never stood at watch alone still has a first watch."""
    ledger = Ledger()
    ledger.add(Outputs(verdicts=[change("throttle", 12)]))
    assert (only(ledger).first_watch_at, only(ledger).first_throttle_at) == (12, 12)


def test_suppressed_findings_count_for_nothing() -> None:
    """What an allow-list held back is no verdict."""
    ledger = Ledger()
    held = change("allow", 9, kind="suppressed", suppressed=True, proposed_level="throttle")
    ledger.add(Outputs(scores=[score("acme", 0.9, 9)], verdicts=[held]))
    found = only(ledger)
    assert (found.verdict, found.worst_verdict, found.first_watch_at) == ("allow", "allow", None)
    assert found.reason == ""


def test_the_verdict_is_the_hardest_in_force_and_the_worst_stays() -> None:
    """A narrowed account stands as hard as its key; after all ended only the worst is left."""
    ledger = Ledger()
    ledger.add(Outputs(verdicts=[change("restrict", 10)]))
    ledger.add(Outputs(verdicts=[change("watch", 20), change("throttle", 20, "key")]))
    assert (only(ledger).verdict, only(ledger).worst_verdict) == ("throttle", "restrict")
    assert ledger.levels() == {"throttle": 1}
    ledger.add(Outputs(verdicts=[change("allow", 30), change("allow", 30, "key")]))
    assert (only(ledger).verdict, only(ledger).worst_verdict) == ("allow", "restrict")
    assert ledger.levels() == {}


def test_the_reason_is_that_of_the_worst_verdict() -> None:
    """A milder verdict later on does not overwrite the reason."""
    ledger = Ledger()
    ledger.add(Outputs(verdicts=[change("throttle", 10)]))
    ledger.add(Outputs(verdicts=[change("watch", 20, reason_code="early-signs")]))
    assert only(ledger).reason.endswith(CODE_WORDS["two-groups"])


def test_accounts_come_by_score_and_one_json_line_each() -> None:
    """The highest score comes first; a line has the promised keys and no other."""
    ledger = Ledger()
    ledger.add(Outputs(scores=[score("b", 0.1, 5), score("a", 0.1, 5), score("c", 0.7, 5)]))
    assert [s.account for s in ledger.summaries()] == ["c", "a", "b"]
    line = json.loads(ledger.summaries()[0].json_line())
    assert list(line) == [
        "account",
        "requests",
        "new_pieces",
        "cue_pieces",
        "score",
        "verdict",
        "worst_verdict",
        "first_watch_at",
        "first_throttle_at",
        "reason",
    ]
    other = msgspec.structs.replace(ledger.summaries()[0], tenant="north")
    assert json.loads(other.json_line())["tenant"] == "north"
