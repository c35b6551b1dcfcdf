"""Shapes of the account page."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from detector.api.alert_models import EXAMPLE, AlertBody, VersionsBody
from detector.assessment import Scope
from detector.levels import Level


class VerdictBody(BaseModel):
    """A verdict in force on the account or on a part of it."""

    scope: Scope
    scope_id: str
    verdict: Level
    proposed_verdict: Level | None
    enforced: bool
    since: str = Field(description="Its last change or renewal.")
    expires_at: str | None
    reason_code: str
    main_group: str
    groups: list[str]
    organisation: str | None
    versions: VersionsBody


class ScoreBody(BaseModel):
    """One scoring of the account or of a part of it."""

    at: str
    scope: str
    scope_id: str
    requests: int
    new_pieces: int
    cue_pieces: int
    score: float
    p_value: float


class FeatureBody(BaseModel):
    """A feature beside benign accounts."""

    name: str
    meaning: str
    value: float | None = Field(description="Null: the log does not tell it, or not yet.")
    p5: float | None
    p50: float | None
    p95: float | None
    benign_known: float | None = Field(description="Share of benign accounts where it is known.")
    place: Literal["below", "inside", "above"] | None = Field(
        description="Against p5 and p95; null where either side is not known."
    )


class FeaturesBody(BaseModel):
    """The account's features at its last scoring."""

    at: str
    requests: int
    benign_accounts: int | None = Field(description="Accounts that the range was taken over.")
    values: list[FeatureBody]


class AccountBody(BaseModel):
    """What is known of an account. Where a part is null, `why_null` says why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tenant": "default",
                    "account": "acme",
                    "verdicts": [
                        {
                            "scope": "account",
                            "scope_id": "acme",
                            "verdict": "throttle",
                            "proposed_verdict": None,
                            "enforced": True,
                            "since": "2026-11-25T08:53:20.000Z",
                            "expires_at": "2026-11-28T08:53:20.000Z",
                            "reason_code": "two-groups",
                            "main_group": "diversity",
                            "groups": ["diversity", "intent"],
                            "organisation": None,
                            "versions": EXAMPLE["versions"],
                        }
                    ],
                    "open_alerts": [EXAMPLE],
                    "past_alerts": [],
                    "scores": [
                        {
                            "at": "2026-11-25T08:53:20.000Z",
                            "scope": "account",
                            "scope_id": "acme",
                            "requests": 60,
                            "new_pieces": 50,
                            "cue_pieces": 4,
                            "score": 0.99,
                            "p_value": 0.003,
                        }
                    ],
                    "features": {
                        "at": "2026-11-25T08:53:20.000Z",
                        "requests": 60,
                        "benign_accounts": 2600,
                        "values": [
                            {
                                "name": "slot_sweep",
                                "meaning": "new items put into one and the same frame",
                                "value": 0.97,
                                "p5": 0.02,
                                "p50": 0.2,
                                "p95": 0.61,
                                "benign_known": 1.0,
                                "place": "above",
                            }
                        ],
                    },
                    "why_null": {},
                }
            ]
        }
    )

    tenant: str
    account: str
    verdicts: list[VerdictBody] | None
    open_alerts: list[AlertBody]
    past_alerts: list[AlertBody] = Field(description="Closed ones, the latest first; at most 50.")
    scores: list[ScoreBody] | None = Field(description="Newest first.")
    features: FeaturesBody | None
    why_null: dict[str, str] = Field(description="Field -> why it is null.")
