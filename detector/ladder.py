"""What one assessment alone calls for: the step of the policy whose conditions all hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from detector.assessment import Assessment
from detector.levels import LEVELS, RANK, Level, one_below
from detector.policy import Policy

CUES: Final = "cues"
"""The one name under which all groups of `Policy.cue_groups` count together."""

EVERYTHING: Final = frozenset({"*"})
"""Excuses every group: a plain allow-list entry."""

NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """What one assessment calls for, before hysteresis and allow-lists of the past.

    Attributes:
        level: the step it supports.
        proposed_level: a harder step that holds too but needs a person, else None.
        by_cue_rule: the level rests on the cue rule alone.
        reason_code: why, as a stable word for machines ("" when the level is `allow`).
        main_group: feature group that speaks loudest, or "cues" for the cue rule alone.
        groups: names of the agreeing groups, sorted; the cue groups appear as "cues".
        expires_s: how long the level lasts from here.
    """

    level: Level
    proposed_level: Level | None
    by_cue_rule: bool
    reason_code: str
    main_group: str
    groups: tuple[str, ...]
    expires_s: float


QUIET: Final = Finding("allow", None, False, "", "", (), 0.0)
"""Nothing holds."""


def find(
    policy: Policy,
    assessment: Assessment,
    excused: frozenset[str] = NOTHING,
    known_cue_pieces: int = 0,
) -> Finding:
    """Judge one assessment by itself.

    Args:
        excused: groups a person has cleared; they neither agree nor refute.
        known_cue_pieces: cue pieces that have had their watch already; counts are running
            totals, so without this an old cue would raise a new watch at every scoring point.
    """
    if excused == EVERYTHING:
        return QUIET
    outside, cues_agree, main_group = _agreeing(policy, assessment, excused)
    groups = tuple(sorted([*outside, *([CUES] if cues_agree else [])]))
    level = _highest_step(policy, assessment, len(outside), len(groups))
    fresh_cues = (
        CUES not in excused
        and assessment.cue_score >= policy.cue_watch_score
        and assessment.cue_pieces >= policy.cue_watch_pieces
        and assessment.cue_pieces >= policy.cue_watch_share * assessment.new_pieces
        and assessment.cue_pieces > known_cue_pieces
    )
    if level == "allow":
        if not fresh_cues:
            return QUIET
        return Finding(
            "watch", None, True, "elicitation-cue", CUES, (CUES,), policy.cue_watch_expires_s
        )
    proposed: Level | None = None
    if policy.step(level).needs_person:
        proposed, level = level, one_below(level)
    code = _reason_code(level, cues_agree, outside)
    return Finding(level, proposed, False, code, main_group, groups, policy.step(level).expires_s)


def _agreeing(
    policy: Policy, assessment: Assessment, excused: frozenset[str]
) -> tuple[list[str], bool, str]:
    """Agreeing groups outside the cues, whether the cues agree, and the loudest of all."""
    outside: list[str] = []
    cues_agree = False
    loudest, main_group = 0.0, ""
    for group in assessment.groups:
        is_cue = group.name in policy.cue_groups
        if (CUES if is_cue else group.name) in excused:
            continue
        if not group.known or not group.contribution >= policy.group_contribution:
            continue
        if is_cue:
            cues_agree = True
        else:
            outside.append(group.name)
        if group.contribution > loudest:
            loudest, main_group = group.contribution, group.name
    return outside, cues_agree, main_group


def _highest_step(policy: Policy, assessment: Assessment, outside: int, groups: int) -> Level:
    reached: Level = "allow"
    own = assessment.p_value if assessment.own_p_value is None else assessment.own_p_value
    own_most = policy.step("watch").p_value
    for level in LEVELS[1:]:
        step = policy.step(level)
        narrow = assessment.scope in ("key", "end_user") and RANK[level] > RANK["watch"]
        narrow_least = policy.narrow_min_new_pieces if narrow else 0
        holds = (
            assessment.p_value <= step.p_value
            and assessment.score >= step.score
            and assessment.new_pieces >= max(step.min_new_pieces, narrow_least)
            and groups >= step.min_groups
            # Wording alone never throttles anybody, whatever the policy's numbers say, and a
            # system prompt, often a framework's, never makes the difference by itself.
            and (RANK[level] <= RANK["watch"] or (outside > 0 and own <= own_most))
        )
        if holds:
            reached = level
    return reached


def _reason_code(level: Level, cues_agree: bool, outside: list[str]) -> str:
    if level == "watch":
        return "early-signs" if outside or not cues_agree else "telltale-wording"
    return "two-groups" if cues_agree else "harvest-without-cue"
