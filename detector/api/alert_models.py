"""Shapes of alerts in the OpenAPI document. Routes send the topic's own JSON, field for field."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from detector.assessment import Scope
from detector.levels import Level

State = Literal["open", "updated", "closed"]
Severity = Literal["low", "medium", "high", "critical"]

EXAMPLE: Final[dict[str, Any]] = {
    "alert_id": "0a294f85-2a6d-536b-8670-05c68d84af77",
    "revision": 1,
    "state": "open",
    "close_reason": None,
    "kind": "account",
    "severity": "medium",
    "tenant": "default",
    "scope": "account",
    "scope_id": "acme",
    "account": "acme",
    "organisation": None,
    "verdict": "throttle",
    "proposed_verdict": None,
    "enforced": True,
    "first_seen_at": "2026-11-25T08:53:20.000Z",
    "revised_at": "2026-11-25T08:53:20.000Z",
    "expires_at": "2026-11-28T08:53:20.000Z",
    "requests": 60,
    "new_pieces": 50,
    "cue_pieces": 4,
    "score": 0.99,
    "p_value": 0.003,
    "reason_code": "two-groups",
    "main_group": "diversity",
    "main_reason": "new items put into one and the same frame 0.97 (ordinary accounts: 0.02 to "
    "0.61); telltale wording agrees",
    "reasons": [
        "Variety of the prompts speaks for extraction: new items put into one and the same frame "
        "0.97 (ordinary accounts: 0.02 to 0.61)."
    ],
    "contributions": {"diversity": 2.0, "harvest": -0.1, "intent": 1.75, "rate": None},
    "cues": [{"name": "elicit", "pieces": 4, "component": "user"}],
    "exemplars": ["event-7", "event-3"],
    "estimated_harvest": {"pairs": 50, "output_tokens": 6000, "topic_coverage": 0.25},
    "atlas": {"id": "AML.T0024.002", "name": "Extract AI Model"},
    "versions": {"policy": "default-1+6f1c", "model": "0.1.0", "feature_schema": "726dd4b2"},
    "case_text": "What this is about: use of your account.",
}


class CueBody(BaseModel):
    """How many new pieces carried a cue, and in which component of the requests."""

    name: str
    pieces: int
    component: str


class HarvestBody(BaseModel):
    """What may have been taken so far; null where the log does not tell."""

    pairs: int
    output_tokens: int | None
    topic_coverage: float | None


class TechniqueBody(BaseModel):
    """A technique of MITRE ATLAS."""

    id: str
    name: str


class VersionsBody(BaseModel):
    """What a verdict was made with."""

    policy: str
    model: str
    feature_schema: str


class AlertBody(BaseModel):
    """One revision of an alert. It holds no prompt text. Later releases may add fields."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    alert_id: str
    revision: int = Field(description="1 at opening, then counts up.")
    state: State
    close_reason: str | None = Field(description="Why it closed; null while it is open.")
    kind: str
    severity: Severity
    tenant: str
    scope: Scope
    scope_id: str
    account: str
    organisation: str | None
    verdict: Level = Field(description="In force; `allow` once closed.")
    proposed_verdict: Level | None = Field(description="A harder one that waits for a person.")
    enforced: bool = Field(description="False in shadow mode.")
    first_seen_at: str
    revised_at: str
    expires_at: str | None
    requests: int
    new_pieces: int
    cue_pieces: int
    score: float = Field(description="Probability of extraction.")
    p_value: float = Field(description="Share of benign accounts that ever score so high.")
    reason_code: str
    main_group: str
    main_reason: str
    reasons: list[str]
    contributions: dict[str, float | None] = Field(
        description="Change of the log-odds by feature group; null where the log does not tell."
    )
    cues: list[CueBody]
    exemplars: list[str] = Field(description="Event ids of the requests that say most.")
    estimated_harvest: HarvestBody
    atlas: TechniqueBody
    versions: VersionsBody
    case_text: str = Field(description="What may be shown to the customer.")


class AlertsPage(BaseModel):
    """One page of alerts, last revised first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [EXAMPLE], "next_cursor": None}]}
    )

    items: list[AlertBody]
    next_cursor: str | None = Field(
        description="Give it as `cursor`, with the same filters; null on the last page."
    )


class AlertDetail(BaseModel):
    """An alert as it stands, and how it came there."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"alert": EXAMPLE, "revisions": [EXAMPLE]}]}
    )

    alert: AlertBody
    revisions: list[AlertBody] = Field(description="All of them, the latest first.")
