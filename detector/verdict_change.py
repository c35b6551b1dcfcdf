"""What happened to a verdict, as told to gateways, analysts and alerts."""

from __future__ import annotations

from typing import Literal

import msgspec

from detector.assessment import Scope
from detector.levels import Level

Kind = Literal[
    "rose",
    "renewed",
    "fell",
    "narrowed",
    "expired",
    "undone",
    "confirmed",
    "switched",
    "suppressed",
]


class Versions(msgspec.Struct, frozen=True):
    """What a verdict was made with."""

    policy: str
    model: str
    feature_schema: str


class VerdictChange(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that changed, was renewed, or would have been given to an allow-listed entity.

    Attributes:
        account: the account that the entity belongs to.
        kind: what happened. "renewed" leaves the level and moves `expires_at_s`, which gateways
            enforce themselves; "suppressed" changes nothing and says what was not acted on.
        from_level, to_level: verdict before and after.
        proposed_level: a harder step: the one that waits for a person, or the one suppressed.
        at_s: event time of the change; `expires_at_s`: when the verdict ends, None at `allow`.
        enforced: False in shadow mode and for suppressed findings.
        reason_code, main_group, groups: what the verdict rests on ("cues": all cue groups).
        account_requests: requests of the account so far, whatever the scope.
    """

    tenant: str
    scope: Scope
    scope_id: str
    account: str
    organisation: str | None
    kind: Kind
    from_level: Level
    to_level: Level
    proposed_level: Level | None
    at_s: float
    expires_at_s: float | None
    enforced: bool
    suppressed: bool
    reason_code: str
    main_group: str
    groups: tuple[str, ...]
    account_requests: int
    versions: Versions
