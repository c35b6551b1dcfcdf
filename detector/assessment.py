"""What the scorer says of one entity at one scoring point: the input of policy and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

Scope = Literal["end_user", "key", "account", "organisation"]
"""Where a verdict applies, from narrow to wide."""


class FeatureReading(msgspec.Struct, frozen=True):
    """One feature of an entity beside the range that 90 % of benign accounts fall in."""

    name: str
    value: float
    benign_low: float
    benign_high: float


class GroupEvidence(msgspec.Struct, frozen=True):
    """What one feature group says.

    Attributes:
        name: registry name of the group, such as "intent", "diversity", "harvest", "rate".
        known: whether the log lets us know anything about this group. Unknown groups neither
            agree nor refute.
        contribution: change of the log-odds when the group is put back to its benign median
            and scored again; above 0 the group speaks for extraction.
        readings: the features that speak loudest for extraction, at most three.
    """

    name: str
    known: bool
    contribution: float
    readings: tuple[FeatureReading, ...]


@dataclass(frozen=True, slots=True)
class CueHit:
    """How many new pieces carried one intent or exact cue, and in which component."""

    name: str
    pieces: int
    component: str


@dataclass(frozen=True, slots=True)
class Concentration:
    """A narrower entity that holds most of the evidence seen under an account."""

    scope: Scope
    scope_id: str
    evidence_share: float
    request_share: float


@dataclass(frozen=True, slots=True)
class Harvest:
    """What may have been taken so far. None where the log does not say."""

    pairs: int
    output_tokens: int | None
    topic_coverage: float | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """One entity at one scoring point.

    Attributes:
        tenant, account: whose traffic it is.
        scope, scope_id: the entity scored (for scope "account", scope_id equals account).
        at_s: event time of the request that was the scoring point, UTC epoch seconds.
        requests, new_pieces, cue_pieces: counts of this entity so far.
        account_requests: count of the account's requests so far, whatever the scope.
        trigger: "point" (a set count was reached) or "cue" (an elicitation cue fired).
        score: calibrated probability in [0, 1] of the account classifier.
        p_value: conformal p-value against benign accounts, in (0, 1].
        own_p_value: the same without what system prompts speak for extraction; None where they
            say nothing.
        cue_score: largest elicitation probability among the entity's new user pieces, [0, 1].
        exemplars: event ids of the requests that carried most evidence, best first.
        concentration: set on scope "account" when one narrower entity holds the evidence.
    """

    tenant: str
    account: str
    scope: Scope
    scope_id: str
    at_s: float
    requests: int
    new_pieces: int
    cue_pieces: int
    account_requests: int
    trigger: Literal["point", "cue"]
    score: float
    p_value: float
    cue_score: float
    groups: tuple[GroupEvidence, ...]
    cues: tuple[CueHit, ...]
    exemplars: tuple[str, ...]
    harvest: Harvest
    own_p_value: float | None = None
    concentration: Concentration | None = None
