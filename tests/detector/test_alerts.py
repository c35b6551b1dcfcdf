"""The life of an alert, and the exact shape of what readers get."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alert_event import alert_event
from detector.alerts import Alert, AlertBook, OpenAlert
from detector.assessment import Assessment
from detector.verdicts import VerdictBook
from streams.envelope import decode, encode, read_data
from tests.detector.verdict_cases import DAY_S, T0_S, assessed, book, later, policy, sequences

GOLDEN = Path(__file__).parents[1] / "golden" / "alert.json"


def run(verdicts: VerdictBook, alerts: AlertBook, log: list[Assessment]) -> list[Alert]:
    """Judge a log the way the pipeline does and collect the revisions."""
    revisions: list[Alert | None] = []
    for assessment in log:
        revisions += [alerts.apply(change) for change in verdicts.expire(assessment.at_s)]
        revisions += [alerts.apply(change, assessment) for change in verdicts.judge(assessment)]
    return [revision for revision in revisions if revision is not None]


def test_life() -> None:
    """Open, silent on a mere renewal, updated on each kind of news, closed at the end."""
    log = [
        assessed(T0_S, p_value=0.015),
        assessed(T0_S + 1, p_value=0.015, new_pieces=60),
        assessed(T0_S + 2, p_value=0.015, new_pieces=100),
        assessed(T0_S + 3, p_value=0.015, new_pieces=110, agreeing=("rate", "harvest")),
        assessed(T0_S + 4, p_value=0.003, new_pieces=120, agreeing=("rate", "harvest")),
        assessed(T0_S + 5, p_value=0.0001, new_pieces=130),
        assessed(T0_S + 9 * DAY_S, new_pieces=140),
    ]
    revisions = run(book(), AlertBook(policy()), log)
    assert [(a.revision, a.state, a.verdict, a.new_pieces) for a in revisions] == [
        (1, "open", "watch", 50),
        (2, "updated", "watch", 100),
        (3, "updated", "watch", 110),
        (4, "updated", "throttle", 120),
        (5, "updated", "restrict", 130),
        (6, "closed", "allow", 130),
    ]
    assert len({a.alert_id for a in revisions}) == 1
    assert {a.first_seen_at for a in revisions} == {"2025-10-09T08:53:20.000Z"}
    assert [a.severity for a in revisions] == ["low", "low", "low", "medium", "critical", "low"]
    block, closed = revisions[-2:]
    assert block.proposed_verdict == "block"
    assert block.reasons[0] == "block proposed: a person has to decide."
    assert (closed.close_reason, closed.expires_at, closed.proposed_verdict) == (
        "expired",
        None,
        None,
    )
    assert closed.reasons == block.reasons[1:], "a closed alert still says what it was about"


def test_a_new_proposal_is_news() -> None:
    """Restrict turning into a proposed block is told although the verdict stays."""
    log = [
        assessed(p_value=0.0008, new_pieces=90),
        assessed(T0_S + 1, p_value=0.0001, new_pieces=101),
    ]
    revisions = run(book(), AlertBook(policy()), log)
    assert [(a.verdict, a.proposed_verdict) for a in revisions] == [
        ("restrict", None),
        ("restrict", "block"),
    ]


def test_twice_the_cues_are_news() -> None:
    """A watch by cues is revised when the pieces with a cue have doubled, not at each cue."""
    log = [
        assessed(T0_S + n, new_pieces=40, cue_pieces=n, cue_score=0.95, agreeing=())
        for n in range(3, 13)
    ]
    revisions = run(book(), AlertBook(policy()), log)
    assert [(a.revision, a.cue_pieces) for a in revisions] == [(1, 3), (2, 6), (3, 12)]


def test_ids_are_derived_and_a_second_alert_is_another() -> None:
    """The same log gives the same id; reopening, another entity and another tenant differ."""
    log = [assessed(p_value=0.003), assessed(T0_S + 9 * DAY_S, p_value=0.003)]
    first, closed, second = run(book(), AlertBook(policy()), log)
    again = run(book(), AlertBook(policy()), log)
    assert [a.alert_id for a in again] == [first.alert_id, closed.alert_id, second.alert_id]
    assert uuid.UUID(first.alert_id).version == 5
    assert closed.alert_id == first.alert_id
    assert (second.revision, second.state) == (1, "open")
    others = [
        assessed(p_value=0.003, account="b"),
        assessed(p_value=0.003, tenant="eu"),
        assessed(p_value=0.003, scope="key", scope_id="acme"),
    ]
    ids = {a.alert_id for a in run(book(), AlertBook(policy()), others)}
    assert len(ids | {first.alert_id, second.alert_id}) == 5


def test_an_undo_closes_the_alert_and_what_follows_opens_none() -> None:
    """Closed as undone; suppressed findings raise no alert."""
    verdicts, alerts = book(), AlertBook(policy())
    hot = assessed(p_value=0.003)
    run(verdicts, alerts, [hot])
    (change,) = verdicts.undo(
        "default", "account", "acme", reason="r", by="b", until_s=T0_S + 9e6, at_s=T0_S + 1
    )
    closed = alerts.apply(change)
    assert closed is not None
    assert (closed.state, closed.close_reason) == ("closed", "undone")
    assert len(alerts) == 0
    assert run(verdicts, alerts, [later(hot, 1)]) == []


def test_alerts_can_start_above_watch() -> None:
    """With alert_from = "throttle" a watch is silent and a fall to watch closes."""
    high = policy(alert_from="throttle")
    calm = assessed(T0_S + 2, p_value=0.05)
    log = [assessed(p_value=0.015), assessed(T0_S + 1, p_value=0.003), calm, later(calm, 0.1)]
    revisions = run(book(), AlertBook(high), log)
    assert [(a.state, a.verdict, a.close_reason) for a in revisions] == [
        ("open", "throttle", None),
        ("closed", "watch", "fell"),
    ]


def test_shadow_is_said() -> None:
    """An alert of shadow mode says that nothing is enforced; the switch is a revision."""
    verdicts, alerts = book(shadow=True), AlertBook(policy(shadow=True))
    (alert,) = run(verdicts, alerts, [assessed(p_value=0.003)])
    assert not alert.enforced
    alerts.switch_policy(policy())
    (change,) = verdicts.switch_policy(policy(), T0_S + 1)
    revised = alerts.apply(change)
    assert revised is not None
    assert (revised.enforced, revised.revision) == (True, 2)


def test_golden() -> None:
    """The payload's shape and words are what readers were promised; changes must be additive."""
    full = assessed(
        p_value=0.003,
        cue_pieces=4,
        cue_score=0.97,
        agreeing=("diversity", "intent"),
        unknown=("rate",),
    )
    (alert,) = run(book(), AlertBook(policy()), [full])
    assert alert.versions.policy == policy().stamp
    versions = msgspec.structs.replace(alert.versions, policy="test-1+digest")
    alert = msgspec.structs.replace(alert, versions=versions)
    raw = msgspec.json.format(msgspec.json.encode(alert), indent=2) + b"\n"
    assert raw.decode() == GOLDEN.read_text(encoding="utf-8")


def test_a_reader_ignores_fields_it_does_not_know() -> None:
    """Today's reader reads tomorrow's alert."""
    raw = msgspec.json.decode(GOLDEN.read_bytes())
    alert = msgspec.convert({**raw, "new_in_2030": [1]}, Alert)
    assert alert.alert_id == raw["alert_id"]


def test_the_envelope() -> None:
    """A revision travels as a CloudEvents record with a derived id of its own."""
    log = [assessed(p_value=0.015), assessed(T0_S + 1, p_value=0.003)]
    first, second = run(book(), AlertBook(policy()), log)
    event = decode(encode(alert_event(first, T0_S)))
    assert (event.type, event.subject, event.time) == (
        "stillwatch.alert",
        "acme",
        first.revised_at,
    )
    assert read_data(event, Alert) == first
    assert event.id == alert_event(first, T0_S).id
    assert event.id != alert_event(second, T0_S).id


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_do_not_break_the_feed(value: float) -> None:
    """NaN and infinity become null in JSON; the alert is still valid JSON."""
    (alert,) = run(book(), AlertBook(policy()), [assessed(p_value=0.003, score=0.9)])
    broken = msgspec.structs.replace(alert, contributions={"rate": value})
    assert b'"rate":null' in msgspec.json.encode(broken)


@given(sequences(), st.data())
def test_a_restored_book_tells_the_same(log: list[Assessment], data: st.DataObject) -> None:
    """Dump and load at any point change no later alert; revisions count up without a gap."""
    cut = data.draw(st.integers(0, len(log)))
    expected = run(book(), AlertBook(policy()), log)
    verdicts, first, second = book(), AlertBook(policy()), AlertBook(policy())
    revisions = run(verdicts, first, log[:cut])
    raw = msgspec.json.encode(first.dump())
    second.load(msgspec.json.decode(raw, type=list[OpenAlert]))
    assert msgspec.json.encode(second.dump()) == raw
    revisions += run(verdicts, second, log[cut:])
    assert revisions == expected
    last: dict[str, int] = {}
    for alert in revisions:
        assert alert.revision == last.get(alert.alert_id, 0) + 1
        assert (alert.state == "open") == (alert.revision == 1)
        last[alert.alert_id] = alert.revision
