"""Why a verdict was given, in plain words: for the analyst, and for the customer."""

from __future__ import annotations

import math
from typing import Final

from detector.assessment import Assessment, CueHit, FeatureReading, GroupEvidence, Harvest, Scope
from detector.feature_words import component_words, cue_words, feature_words, group_words
from detector.ladder import CUES
from detector.levels import Level
from detector.policy import Policy
from streams.envelope import rfc3339

CAMPAIGN: Final = "campaign"
"""Reason code of a verdict that a campaign gives its members."""

CODE_WORDS: Final[dict[str, str]] = {
    "elicitation-cue": "requests ask the model to lay its own reasoning open",
    "telltale-wording": "the wording reads like a collection of answers; not enough to act on",
    "early-signs": "first signs of answers being collected; not enough to act on",
    "harvest-without-cue": "answers are collected systematically, without telltale wording",
    CAMPAIGN: "the account works as one with others",
    "two-groups": "telltale wording and systematic collection of answers agree",
}
"""Reason code of a verdict -> one line."""

_SEEN: Final[dict[str, str]] = {
    "intent": "The wording of the requests resembled the production of training material.",
    "elicitation": "Requests asked the model to lay its own hidden reasoning open.",
    CUES: "Requests asked the model to lay its own hidden reasoning open.",
    "template": "A system prompt resembled the instructions of a data collection.",
    "frames": "Many new items were put through one reused prompt.",
    "diversity": "Many different items were put through the same kind of prompt.",
    "harvest": "Far more text was taken out than conversations usually need.",
    "rate": "The rhythm of the requests resembled an unattended program.",
    "credentials": "Keys, networks or client programs changed in an unusual way.",
    "clients": "Networks or client programs changed in an unusual way.",
    "workload": "The kind of use differed from that of comparable customers.",
}

_MEANS: Final[dict[Level, str]] = {
    "allow": "There is no limit on this access any more.",
    "watch": "Nothing changes for you: the use is under observation only.",
    "throttle": "Requests are slowed down for now.",
    "restrict": "Reasoning and token probabilities are left out of answers for now.",
    "block": "Requests are refused for now.",
}

_SCOPES: Final[dict[Scope, str]] = {
    "end_user": "one end user of your account",
    "key": "one key of your account",
    "account": "your account",
    "organisation": "your organisation",
}


def speaking_groups(policy: Policy, assessment: Assessment) -> list[GroupEvidence]:
    """Known groups that speak for extraction, loudest first, then by name."""
    speaking = [
        group
        for group in assessment.groups
        if group.known and group.contribution >= policy.group_contribution
    ]
    return sorted(speaking, key=lambda group: (-group.contribution, group.name))


def main_reason(assessment: Assessment, reason_code: str, main_group: str) -> str:
    """The verdict's reason in one line: what drives it first, so that a cut line still tells."""
    line = CODE_WORDS.get(reason_code, reason_code.replace("-", " "))
    for group in assessment.groups:
        if group.name == main_group and group.readings:
            return f"{_reading(group.readings[0])}; {line}"
    return line if main_group in ("", CUES) else f"{group_words(main_group)}; {line}"


def reasons(policy: Policy, assessment: Assessment) -> list[str]:
    """Every reason an analyst should know, one sentence each, weightiest first."""
    sentences: list[str] = []
    for group in speaking_groups(policy, assessment):
        readings = ", ".join(_reading(reading) for reading in group.readings)
        detail = f": {readings}" if readings else ""
        sentences.append(f"{_capital(group_words(group.name))} speaks for extraction{detail}.")
    sentences.extend(_cue_sentence(hit) for hit in _sorted_cues(assessment))
    unknown = sorted(group_words(group.name) for group in assessment.groups if not group.known)
    if unknown:
        sentences.append(f"Not known from this log: {', '.join(unknown)}.")
    if assessment.concentration is not None:
        part = assessment.concentration
        sentences.append(
            f"{part.evidence_share:.0%} of the evidence and {part.request_share:.0%} of the "
            f"requests belong to {part.scope.replace('_', ' ')} {part.scope_id}."
        )
    sentences.append(_harvest_sentence(assessment.harvest))
    return sentences


def case_text(
    policy: Policy,
    assessment: Assessment,
    *,
    scope: Scope,
    level: Level,
    first_seen_s: float,
    at_s: float,
    expires_at_s: float | None,
) -> str:
    """The evidence sheet for the customer: what was seen, in words.

    It names no score, measure, range or threshold, so that it teaches nobody how to stay below.
    """
    lines = [
        f"What this is about: use of {_SCOPES[scope]}.",
        f"First seen: {rfc3339(first_seen_s)}. This sheet: {rfc3339(at_s)}.",
        "What was seen:",
    ]
    seen = [group.name for group in speaking_groups(policy, assessment)]
    cues_count = assessment.cue_score >= policy.cue_watch_score
    if cues_count and not any(name in policy.cue_groups for name in seen):
        seen.append(CUES)
    told: list[str] = []
    for name in seen:
        sentence = _SEEN.get(name, f"There was something unusual about {group_words(name)}.")
        if sentence not in told:
            told.append(sentence)
    lines.extend(f"- {sentence}" for sentence in told)
    if not told:
        lines.append("- The use as a whole differed from that of comparable customers.")
    lines.append(f"What it means: {_MEANS[level]}")
    if expires_at_s is not None:
        lines.append(f"It ends by itself at {rfc3339(expires_at_s)} unless the same is seen again.")
    lines.append(
        "Each of these signs also has innocent causes, such as an evaluation, a batch job or an "
        "agent. If one applies, tell us what the requests were for: a person will look at it, and "
        "a verdict that is undone stays undone for the same cause."
    )
    return "\n".join(lines)


def _reading(reading: FeatureReading) -> str:
    """A feature's value, and in brackets where nine in ten ordinary accounts lie."""
    low, high = _number(reading.benign_low), _number(reading.benign_high)
    value = f"{feature_words(reading.name)} {_number(reading.value)}"
    return f"{value} (ordinary accounts: {low} to {high})"


def _number(value: float) -> str:
    if math.isnan(value):
        return "not known"
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def _sorted_cues(assessment: Assessment) -> list[CueHit]:
    return sorted(assessment.cues, key=lambda hit: (-hit.pieces, hit.name, hit.component))


def _cue_sentence(hit: CueHit) -> str:
    pieces = "1 new piece" if hit.pieces == 1 else f"{hit.pieces:,} new pieces"
    return f"{pieces} in {component_words(hit.component)}: {cue_words(hit.name)}."


def _harvest_sentence(harvest: Harvest) -> str:
    taken = f"{harvest.pairs:,} pairs of prompt and answer"
    if harvest.output_tokens is not None:
        taken += f", {harvest.output_tokens:,} output tokens"
    if harvest.topic_coverage is not None:
        taken += f", {harvest.topic_coverage:.0%} of topics touched"
    return f"May have been taken so far: {taken}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
