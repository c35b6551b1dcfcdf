"""The verdict state of one entity."""

from __future__ import annotations

import msgspec

from detector.assessment import Scope
from detector.levels import Level

Key = tuple[str, Scope, str]
"""Tenant, scope and id of an entity."""


class Standing(msgspec.Struct, kw_only=True):
    """State of one entity that has a verdict or a history; all others take no memory.

    Attributes:
        expires_at_s: when the verdict ends, or, at `allow`, when the history is forgotten.
        calm: scoring points in a row that no longer bear the verdict out.
        groups: all groups the verdict rested on since it was given.
        cue_pieces: cue pieces that have had their watch.
        suppressed_level: hardest step that an allow-list entry kept back.
    """

    tenant: str
    scope: Scope
    scope_id: str
    account: str
    organisation: str | None
    level: Level = "allow"
    proposed_level: Level | None = None
    expires_at_s: float = 0.0
    calm: int = 0
    reason_code: str = ""
    main_group: str = ""
    groups: tuple[str, ...] = ()
    cue_pieces: int = 0
    suppressed_level: Level = "allow"
    account_requests: int = 0
