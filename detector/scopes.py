"""Where a verdict belongs: the narrowest scope that holds the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from detector.assessment import Assessment, Scope
from detector.policy import Policy

WIDTH: Final[dict[Scope, int]] = {"end_user": 0, "key": 1, "account": 2, "organisation": 3}
"""Order of the scopes, narrow to wide."""


@dataclass(frozen=True, slots=True)
class Place:
    """The entity that an assessment's verdict goes to."""

    scope: Scope
    scope_id: str
    narrowed: bool
    """The evidence lies in a part of the entity scored, so that the whole is not to be judged."""


def place(policy: Policy, assessment: Assessment) -> Place:
    """Find the narrowest entity that holds the evidence of an assessment.

    A part that makes most of the requests anyway is no part: the account itself is meant then.
    """
    part = assessment.concentration
    if (
        part is not None
        and WIDTH[part.scope] < WIDTH[assessment.scope]
        and part.evidence_share >= policy.narrow_evidence_share
        and part.request_share <= policy.narrow_request_share
    ):
        return Place(part.scope, part.scope_id, narrowed=True)
    return Place(assessment.scope, assessment.scope_id, narrowed=False)
