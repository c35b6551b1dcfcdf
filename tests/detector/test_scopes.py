"""The narrowest scope that holds the evidence gets the verdict."""

from __future__ import annotations

import pytest

from detector.assessment import Concentration, Scope
from detector.scopes import place
from tests.detector.verdict_cases import T0_S, assessed, book, later, policy

HARVESTER = Concentration("end_user", "u9", evidence_share=0.95, request_share=0.05)


@pytest.mark.parametrize(
    ("part", "scope", "narrowed"),
    [
        (None, "account", False),
        (HARVESTER, "end_user", True),
        (Concentration("key", "k", 0.8, 0.5), "key", True),
        (Concentration("key", "k", 0.79, 0.1), "account", False),
        (Concentration("key", "k", 1.0, 0.51), "account", False),
        (Concentration("organisation", "o", 1.0, 0.1), "account", False),
        (Concentration("account", "acme", 1.0, 0.1), "account", False),
    ],
)
def test_place(part: Concentration | None, scope: Scope, narrowed: bool) -> None:
    """Only a narrower part with most of the evidence and a minority of the requests is meant."""
    found = place(policy(), assessed(concentration=part))
    assert (found.scope, found.narrowed) == (scope, narrowed)


def test_a_reseller_is_not_judged_for_one_end_user() -> None:
    """5 % harvest of one end user: that end user is throttled, account and the others are not."""
    verdicts = book()
    changes = verdicts.judge(assessed(p_value=0.003, concentration=HARVESTER))
    assert [(c.scope, c.scope_id, c.to_level) for c in changes] == [("end_user", "u9", "throttle")]
    assert changes[0].account == "acme"
    assert verdicts.level("default", "account", "acme") == "allow"
    assert verdicts.level("default", "end_user", "u1") == "allow"


def test_an_account_judged_too_early_falls_back_once_the_part_is_known() -> None:
    """A whole account at throttle falls to watch at once when one key turns out to hold it."""
    verdicts = book()
    hot = assessed(p_value=0.003)
    verdicts.judge(hot)
    narrowed = assessed(T0_S + 60, p_value=0.003, concentration=HARVESTER)
    whole, part = verdicts.judge(narrowed)
    assert (whole.kind, whole.scope, whole.from_level, whole.to_level) == (
        "narrowed",
        "account",
        "throttle",
        "watch",
    )
    assert (part.scope, part.to_level) == ("end_user", "throttle")
    assert [c.scope for c in verdicts.judge(later(narrowed, 0.1))] == ["end_user"]


def test_a_narrow_verdict_raises_no_wider_one() -> None:
    """Key and end-user assessments touch only their own entity."""
    verdicts = book()
    for scope in ("key", "end_user"):
        verdicts.judge(assessed(p_value=0.0001, new_pieces=500, scope=scope, scope_id="x"))
    assert verdicts.level("default", "key", "x") == "restrict"
    assert verdicts.level("default", "account", "acme") == "allow"
