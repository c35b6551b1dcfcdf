"""From assessments to verdicts: entering, leaving, ending, clearing, replaying."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.allowlist import AllowEntry
from detector.assessment import Assessment
from detector.levels import RANK, Level
from detector.standing import Standing
from detector.verdict_change import VerdictChange
from detector.verdicts import VerdictBook
from tests.detector.verdict_cases import DAY_S, T0_S, assessed, book, later, policy, sequences


def entry(until_s: float = T0_S + 30 * DAY_S, **changes: object) -> AllowEntry:
    """A full allow-list entry for the account."""
    plain = AllowEntry(
        tenant="default",
        scope="account",
        scope_id="acme",
        reason="own evaluation",
        until_s=until_s,
        by="ana",
    )
    return msgspec.structs.replace(plain, **changes)


def run(verdicts: VerdictBook, log: list[Assessment]) -> list[VerdictChange]:
    """Judge a log the way the pipeline does: ends first, then the assessment."""
    changes: list[VerdictChange] = []
    for assessment in log:
        changes += verdicts.expire(assessment.at_s)
        changes += verdicts.judge(assessment, clock_s=assessment.at_s)
    return changes


@pytest.mark.parametrize(
    ("assessment", "level", "code"),
    [
        (assessed(p_value=0.5), "allow", ""),
        (assessed(p_value=0.02, score=0.5), "watch", "early-signs"),
        (assessed(p_value=0.021), "allow", ""),
        (assessed(p_value=0.02, score=0.49), "allow", ""),
        (assessed(p_value=0.001, new_pieces=4), "allow", ""),
        (assessed(p_value=0.003), "throttle", "harvest-without-cue"),
        (assessed(p_value=0.003, agreeing=("harvest",)), "watch", "early-signs"),
        (assessed(p_value=0.003, agreeing=("intent", "rate")), "throttle", "two-groups"),
        (assessed(p_value=0.003, agreeing=("intent",)), "watch", "telltale-wording"),
        (assessed(p_value=0.003, agreeing=()), "allow", ""),
        (assessed(p_value=0.003, new_pieces=9), "watch", "early-signs"),
        (assessed(p_value=0.001), "restrict", "harvest-without-cue"),
        (assessed(p_value=0.001, unknown=("rate",)), "throttle", "harvest-without-cue"),
        (assessed(p_value=0.001, agreeing=("rate",), unknown=("rate",)), "allow", ""),
        (assessed(p_value=math.nan, score=math.nan), "allow", ""),
    ],
)
def test_what_it_takes(assessment: Assessment, level: Level, code: str) -> None:
    """Each condition of a step is needed; an unknown group counts for nothing."""
    changes = book().judge(assessment)
    assert [c.to_level for c in changes] == ([] if level == "allow" else [level])
    assert [c.reason_code for c in changes] == ([code] if code else [])


def test_block_needs_a_person() -> None:
    """A block is only proposed; a person gives it, it holds while borne out, and it falls."""
    verdicts = book()
    block = assessed(p_value=0.0001, new_pieces=200)
    (proposed,) = verdicts.judge(block)
    assert (proposed.to_level, proposed.proposed_level) == ("restrict", "block")
    (given_,) = verdicts.confirm("default", "account", "acme", T0_S + 60)
    assert (given_.kind, given_.to_level, given_.proposed_level) == ("confirmed", "block", None)
    assert given_.expires_at_s == T0_S + 60 + 7 * DAY_S
    assert verdicts.confirm("default", "account", "acme", T0_S + 70) == []
    (renewed,) = verdicts.judge(later(block, 1))
    assert (renewed.kind, renewed.to_level) == ("renewed", "block")
    assert verdicts.judge(assessed(T0_S + 2 * DAY_S)) == []
    (fell,) = verdicts.judge(assessed(T0_S + 3 * DAY_S))
    assert (fell.kind, fell.to_level) == ("fell", "restrict")


def test_without_the_need_of_a_person_block_is_given() -> None:
    """The policy may say otherwise."""
    steps = policy().steps
    block = steps.block.model_copy(update={"needs_person": False})
    verdicts = book(steps=steps.model_copy(update={"block": block}))
    (change,) = verdicts.judge(assessed(p_value=0.0001, new_pieces=200))
    assert (change.to_level, change.proposed_level) == ("block", None)


def test_a_few_cues_in_a_long_life_are_no_sign() -> None:
    """The cue rule asks for a share of all new pieces, not for a number alone."""
    rare = assessed(new_pieces=200, cue_pieces=3, cue_score=0.95, agreeing=())
    assert book().judge(rare) == []
    often = assessed(new_pieces=100, cue_pieces=3, cue_score=0.95, agreeing=())
    assert [change.to_level for change in book().judge(often)] == ["watch"]


def test_the_cue_rule_gives_watch_early_and_only_for_new_cues() -> None:
    """Three cues in three pieces give watch; the same cues never give it again, a new one does."""
    verdicts = book()
    cue = assessed(new_pieces=3, cue_pieces=3, cue_score=0.95, trigger="cue", agreeing=())
    (change,) = verdicts.judge(cue)
    assert (change.to_level, change.reason_code, change.groups) == (
        "watch",
        "elicitation-cue",
        ("cues",),
    )
    assert change.expires_at_s == T0_S + DAY_S
    assert book().judge(assessed(new_pieces=3, cue_pieces=2, cue_score=0.95, agreeing=())) == []
    assert book().judge(assessed(new_pieces=3, cue_pieces=3, cue_score=0.89, agreeing=())) == []
    (expired,) = verdicts.expire(T0_S + DAY_S)
    assert (expired.kind, expired.at_s, expired.expires_at_s) == ("expired", T0_S + DAY_S, None)
    old = assessed(T0_S + 2 * DAY_S, new_pieces=90, cue_pieces=3, cue_score=0.95, agreeing=())
    assert verdicts.judge(old) == []
    fresh = assessed(T0_S + 3 * DAY_S, new_pieces=91, cue_pieces=4, cue_score=0.95, agreeing=())
    assert [c.to_level for c in verdicts.judge(fresh)] == ["watch"]


def test_hysteresis() -> None:
    """A verdict falls one step after two calm points in a row; in between it stays."""
    verdicts = book()
    verdicts.judge(assessed(p_value=0.003))
    between = assessed(T0_S + 10, p_value=0.01)
    calm = assessed(T0_S + 10, p_value=0.03)
    assert verdicts.judge(calm) == []
    assert verdicts.judge(between) == []
    assert verdicts.judge(calm) == []
    (fell,) = verdicts.judge(later(calm, 1))
    assert (fell.kind, fell.from_level, fell.to_level) == ("fell", "throttle", "watch")
    assert fell.expires_at_s == T0_S + 3 * DAY_S, "a milder step never lasts longer"
    assert verdicts.judge(later(calm, 1.1)) == []
    assert verdicts.judge(assessed(T0_S + 2 * DAY_S, p_value=0.2)) == []
    (gone,) = verdicts.judge(assessed(T0_S + 2.1 * DAY_S, p_value=0.2))
    assert (gone.to_level, gone.expires_at_s, len(verdicts)) == ("allow", None, 0)


def test_support_between_two_calm_points_starts_the_count_anew() -> None:
    """Calm points must follow each other: support in between forgets the first."""
    verdicts = book()
    calm, hot = assessed(p_value=0.03), assessed(p_value=0.003)
    verdicts.judge(hot)
    assert verdicts.judge(calm) == []
    assert [c.kind for c in verdicts.judge(hot)] == ["renewed"]
    assert verdicts.judge(calm) == []
    assert [c.kind for c in verdicts.judge(calm)] == ["fell"]


def test_support_renews_and_rises_at_once() -> None:
    """Support moves the end, which gateways must be told; more evidence raises by two steps."""
    verdicts = book()
    verdicts.judge(assessed(p_value=0.015))
    (renewed,) = verdicts.judge(assessed(T0_S + DAY_S, p_value=0.015))
    assert (renewed.kind, renewed.from_level, renewed.to_level) == ("renewed", "watch", "watch")
    assert renewed.expires_at_s == T0_S + 8 * DAY_S
    (rose,) = verdicts.judge(assessed(T0_S + 2 * DAY_S, p_value=0.0005))
    assert (rose.kind, rose.from_level, rose.to_level) == ("rose", "watch", "restrict")
    assert rose.expires_at_s == T0_S + 5 * DAY_S
    late = assessed(T0_S, p_value=0.0005)
    assert verdicts.judge(late)[0].expires_at_s == rose.expires_at_s, "support never shortens"


def test_ends_come_in_order_and_leave_nothing_behind() -> None:
    """Ended verdicts are lifted by end, then by entity, and take no memory afterwards."""
    verdicts = book()
    verdicts.judge(assessed(T0_S + 5, p_value=0.003, account="late"))
    for account in ("b", "a"):
        verdicts.judge(assessed(T0_S, p_value=0.003, account=account))
    verdicts.judge(assessed(T0_S + 1, p_value=0.003, account="b"))
    assert verdicts.expire(T0_S + 3 * DAY_S - 1) == []
    changes = verdicts.expire(T0_S + 4 * DAY_S)
    assert [(c.account, c.at_s - T0_S - 3 * DAY_S) for c in changes] == [
        ("a", 0),
        ("b", 1),
        ("late", 5),
    ]
    assert len(verdicts) == 0
    assert verdicts.dump() == []


def test_benign_entities_take_no_memory() -> None:
    """A thousand accounts without a finding leave the book empty."""
    verdicts = book()
    for i in range(1000):
        verdicts.judge(assessed(account=f"a{i}", cue_pieces=1, cue_score=0.99))
    assert len(verdicts) == 0


def test_a_bad_client_clock_gives_no_verdict_without_end() -> None:
    """Event time past the partition's clock counts as the clock."""
    verdicts = book()
    (change,) = verdicts.judge(assessed(T0_S + 1e9, p_value=0.003), clock_s=T0_S)
    assert (change.at_s, change.expires_at_s) == (T0_S, T0_S + 3 * DAY_S)


def test_the_allow_list_wins_and_what_it_kept_back_is_told_once() -> None:
    """Under an entry nothing is given; the finding is recorded, again only if it gets harder."""
    verdicts = book()
    assert verdicts.allow(entry(), T0_S) == []
    (kept,) = verdicts.judge(assessed(p_value=0.003))
    assert (kept.kind, kept.suppressed, kept.enforced) == ("suppressed", True, False)
    assert (kept.from_level, kept.to_level, kept.proposed_level) == ("allow", "allow", "throttle")
    assert verdicts.judge(assessed(T0_S + 9, p_value=0.003)) == []
    (harder,) = verdicts.judge(assessed(T0_S + 10, p_value=0.0005))
    assert harder.proposed_level == "restrict"
    after = assessed(T0_S + 30 * DAY_S, p_value=0.003)
    assert [c.kind for c in verdicts.judge(after)] == ["rose"]


def test_an_entry_lifts_what_stands_also_under_the_account() -> None:
    """Allowing an account lifts its own verdict and those of its keys, and no one else's."""
    verdicts = book()
    verdicts.judge(assessed(p_value=0.003))
    verdicts.judge(assessed(p_value=0.003, scope="key", scope_id="k1"))
    verdicts.judge(assessed(p_value=0.003, account="bolt"))
    changes = verdicts.allow(entry(), T0_S + 1)
    assert [(c.scope, c.kind, c.to_level) for c in changes] == [
        ("account", "undone", "allow"),
        ("key", "undone", "allow"),
    ]
    assert verdicts.level("default", "account", "bolt") == "throttle"
    assert verdicts.disallow("default", "account", "acme")
    assert not verdicts.disallow("default", "account", "acme")


def test_an_undo_holds_for_the_same_cause_only() -> None:
    """After an undo the same groups give nothing, however strong; two other groups do."""
    verdicts = book()
    same = assessed(p_value=0.003, agreeing=("diversity", "harvest"))
    verdicts.judge(same)
    until_s = T0_S + 30 * DAY_S
    (undone,) = verdicts.undo(
        "default", "account", "acme", reason="evaluation", by="ana", until_s=until_s, at_s=T0_S + 1
    )
    assert (undone.kind, undone.to_level) == ("undone", "allow")
    stronger = assessed(T0_S + 2, p_value=0.0001, new_pieces=900, agreeing=("diversity", "harvest"))
    assert [c.suppressed for c in verdicts.judge(stronger)] == [True]
    other = assessed(T0_S + 3, p_value=0.003, agreeing=("intent", "rate", "harvest"))
    assert [(c.to_level, c.groups) for c in verdicts.judge(other) if not c.suppressed] == [
        ("throttle", ("cues", "rate"))
    ]
    assert verdicts.undo("default", "key", "?", reason="", by="", until_s=until_s, at_s=T0_S) == []


def test_an_undone_cue_watch_stays_undone_after_its_entry() -> None:
    """Old cues do not accuse again when the entry ends; they were judged already."""
    verdicts = book()
    cue = assessed(new_pieces=3, cue_pieces=3, cue_score=0.95, agreeing=())
    verdicts.judge(cue)
    verdicts.undo(
        "default", "account", "acme", reason="r", by="b", until_s=T0_S + DAY_S, at_s=T0_S + 1
    )
    more = assessed(T0_S + 9, new_pieces=4, cue_pieces=4, cue_score=0.95, agreeing=())
    assert [c.suppressed for c in verdicts.judge(more)] == [True]
    after = assessed(T0_S + 2 * DAY_S, new_pieces=9, cue_pieces=4, cue_score=0.95, agreeing=())
    assert run(verdicts, [after]) == []


def test_an_organisation_entry_covers_its_accounts() -> None:
    """An entry of the organisation holds where the log names the organisation."""
    verdicts = book()
    verdicts.allow(entry(scope="organisation", scope_id="org"), T0_S)
    assert verdicts.judge(assessed(p_value=0.003), organisation="org")[0].suppressed
    assert not verdicts.judge(assessed(p_value=0.003, account="b"), organisation="x")[0].suppressed


def test_shadow_computes_all_and_enforces_nothing() -> None:
    """Shadow mode gives the same changes with enforced False; the switch is told at once."""
    hot = assessed(p_value=0.003)
    shadow, live = book(shadow=True), book()
    (in_shadow,), (in_force,) = shadow.judge(hot), live.judge(hot)
    assert (in_shadow.enforced, in_force.enforced) == (False, True)
    assert in_shadow.to_level == in_force.to_level
    (told,) = live.switch_policy(policy(shadow=True, version="test-2"), T0_S + 1)
    assert (told.kind, told.to_level, told.enforced) == ("switched", "throttle", False)
    assert told.versions.policy.startswith("test-2+")
    assert live.switch_policy(policy(shadow=True), T0_S + 2) == []


def test_a_tenant_is_its_own_world() -> None:
    """The same account name under two tenants is two accounts."""
    verdicts = book()
    verdicts.judge(assessed(p_value=0.003, tenant="eu"))
    assert verdicts.level("eu", "account", "acme") == "throttle"
    assert verdicts.level("default", "account", "acme") == "allow"


@given(sequences(cues_only=True), st.integers(0, 1))
def test_wording_alone_never_exceeds_watch(log: list[Assessment], min_groups: int) -> None:
    """Whatever the sequence and however lax the policy, cues alone give watch at most."""
    strict = policy().steps
    lax = {
        name: step.model_copy(update={"min_groups": min_groups})
        for name, step in ((n, getattr(strict, n)) for n in type(strict).model_fields)
    }
    changes = run(book(steps=strict.model_copy(update=lax)), log)
    assert all(RANK[c.to_level] <= RANK["watch"] for c in changes)


@given(sequences(), st.data())
def test_a_restored_book_decides_the_same(log: list[Assessment], data: st.DataObject) -> None:
    """Dump and load at any point change no later decision and no byte of state."""
    cut = data.draw(st.integers(0, len(log)))
    whole = book()
    expected = run(whole, log)
    first = book()
    changes = run(first, log[:cut])
    raw = msgspec.json.encode(first.dump())
    second = book()
    second.load(msgspec.json.decode(raw, type=list[Standing]))
    assert msgspec.json.encode(second.dump()) == raw
    changes += run(second, log[cut:])
    assert changes == expected
    assert msgspec.json.encode(second.dump()) == msgspec.json.encode(whole.dump())
    assert second.expire(math.inf) == whole.expire(math.inf)
    assert second.dump() == []


@given(sequences(), st.integers(1, 7))
def test_the_cut_into_batches_does_not_matter(log: list[Assessment], size: int) -> None:
    """Calling `expire` also at the end of each batch gives the same changes and state."""
    whole, cut = book(), book()
    expected, changes = run(whole, log), []
    for start in range(0, len(log), size):
        batch = log[start : start + size]
        changes += run(cut, batch)
        changes += cut.expire(batch[-1].at_s)
    expected += whole.expire(log[-1].at_s)
    assert changes == expected
    assert cut.dump() == whole.dump()


@given(sequences())
def test_a_verdict_never_outlives_its_end_and_levels_chain(log: list[Assessment]) -> None:
    """Each change starts where the last one of its entity ended, and no end lies in the past."""
    level: dict[tuple[str, str], Level] = {}
    for change in run(book(), log):
        key = (change.scope, change.scope_id)
        assert change.from_level == level.get(key, "allow")
        level[key] = change.to_level
        assert (change.expires_at_s is None) == (change.to_level == "allow")
        assert change.expires_at_s is None or change.expires_at_s > change.at_s
