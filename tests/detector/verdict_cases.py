"""Assessments and a policy with fixed numbers, so that tuning the default breaks no test."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from hypothesis import strategies as st

from detector.assessment import (
    Assessment,
    Concentration,
    CueHit,
    FeatureReading,
    GroupEvidence,
    Harvest,
    Scope,
)
from detector.policy import Policy, parse_policy
from detector.verdicts import VerdictBook

T0_S = 1_760_000_000.0
DAY_S = 86_400.0

POLICY_TOML = """
version = "test-1"
shadow = false
alert_from = "watch"
group_contribution = 0.3
cue_groups = ["intent", "elicitation"]
template_groups = ["template"]
calm_points = 2
keep_history_s = 7776000
cue_watch_score = 0.9
cue_watch_pieces = 3
cue_watch_share = 0.02
cue_watch_expires_s = 86400
narrow_evidence_share = 0.8
narrow_request_share = 0.5
narrow_min_new_pieces = 0
[steps.watch]
p_value = 0.02
score = 0.5
leave_p_value = 0.1
min_new_pieces = 5
min_groups = 1
expires_s = 604800
[steps.throttle]
p_value = 0.004
score = 0.8
leave_p_value = 0.02
min_new_pieces = 10
min_groups = 2
expires_s = 259200
[steps.restrict]
p_value = 0.001
score = 0.95
leave_p_value = 0.005
min_new_pieces = 30
min_groups = 3
expires_s = 259200
[steps.block]
p_value = 0.0002
score = 0.95
leave_p_value = 0.001
min_new_pieces = 100
min_groups = 3
expires_s = 604800
needs_person = true
"""


def policy(**changes: object) -> Policy:
    """The test policy with some top-level keys changed."""
    plain = parse_policy(POLICY_TOML, "test")
    return plain.model_copy(update=changes)


def book(**changes: object) -> VerdictBook:
    """An empty verdict book under the test policy."""
    return VerdictBook(policy(**changes), "model-1", "schema-1")


READINGS = {
    "diversity": FeatureReading("slot_sweep", 0.97, 0.02, 0.61),
    "harvest": FeatureReading("one_shot_share", 1.0, 0.1, 0.8),
    "rate": FeatureReading("gap_regularity", -0.8, -0.2, 0.6),
    "intent": FeatureReading("extraction_high", 0.9, 0.0, 0.2),
}


def groups(*agreeing: str, unknown: tuple[str, ...] = ()) -> tuple[GroupEvidence, ...]:
    """Four groups; those named agree, the first named loudest; `unknown` ones are not known."""
    evidence = []
    for name in ("intent", "diversity", "harvest", "rate"):
        known = name not in unknown
        contribution = 2.0 - 0.25 * agreeing.index(name) if name in agreeing else -0.1
        readings = (READINGS[name],) if known else ()
        evidence.append(GroupEvidence(name, known, contribution, readings))
    return tuple(evidence)


def assessed(
    at_s: float = T0_S,
    *,
    p_value: float = 0.5,
    score: float = 0.99,
    new_pieces: int = 50,
    cue_pieces: int = 0,
    cue_score: float = 0.0,
    agreeing: tuple[str, ...] = ("diversity", "harvest", "rate"),
    unknown: tuple[str, ...] = (),
    account: str = "acme",
    scope: Scope = "account",
    scope_id: str = "",
    tenant: str = "default",
    trigger: Literal["point", "cue"] = "point",
    concentration: Concentration | None = None,
) -> Assessment:
    """One assessment; what is not given is ordinary."""
    return Assessment(
        tenant=tenant,
        account=account,
        scope=scope,
        scope_id=scope_id or account,
        at_s=at_s,
        requests=new_pieces + 10,
        new_pieces=new_pieces,
        cue_pieces=cue_pieces,
        account_requests=new_pieces + 10,
        trigger=trigger,
        score=score,
        p_value=p_value,
        cue_score=cue_score,
        groups=groups(*agreeing, unknown=unknown),
        cues=(CueHit("elicit", cue_pieces, "user"),) if cue_pieces else (),
        exemplars=("event-7", "event-3"),
        harvest=Harvest(new_pieces, 120 * new_pieces, 0.25),
        concentration=concentration,
    )


def later(assessment: Assessment, days: float) -> Assessment:
    """The same assessment some days on."""
    return replace(assessment, at_s=assessment.at_s + days * DAY_S)


@st.composite
def sequences(draw: st.DrawFn, *, cues_only: bool = False) -> list[Assessment]:
    """A log of assessments of a few entities, in order of event time."""
    names = ("intent",) if cues_only else ("intent", "diversity", "harvest", "rate")
    log: list[Assessment] = []
    at_s, pieces, cues = T0_S, 0, 0
    for _ in range(draw(st.integers(1, 25))):
        at_s += draw(st.sampled_from([1.0, 3600.0, DAY_S, 4 * DAY_S]))
        pieces += draw(st.integers(0, 60))
        cues += draw(st.integers(0, 3))
        scope, scope_id = draw(
            st.sampled_from([("account", "acme"), ("account", "bolt"), ("key", "k1")])
        )
        part = draw(st.sampled_from([None, None, Concentration("key", "k1", 0.9, 0.1)]))
        log.append(
            assessed(
                at_s,
                p_value=draw(st.sampled_from([0.00005, 0.0008, 0.003, 0.015, 0.05, 0.4])),
                score=draw(st.sampled_from([0.2, 0.6, 0.9, 0.99])),
                new_pieces=pieces,
                cue_pieces=cues,
                cue_score=draw(st.sampled_from([0.1, 0.95])),
                agreeing=tuple(draw(st.lists(st.sampled_from(names), unique=True))),
                unknown=tuple(draw(st.lists(st.sampled_from(("harvest", "rate")), unique=True))),
                account="bolt" if scope_id == "bolt" else "acme",
                scope=scope,  # type: ignore[arg-type]
                scope_id=scope_id,
                trigger=draw(st.sampled_from(["point", "cue"])),
                concentration=part if scope == "account" else None,
            )
        )
    return log
