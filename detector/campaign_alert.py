"""The alert of a campaign: an alert as any other, with what is told of the campaign beside it."""

from __future__ import annotations

from typing import Literal

import msgspec

from detector.alerts import EXTRACT_MODEL, SEVERITY, Alert, EstimatedHarvest
from detector.levels import Level
from detector.links.campaign import CampaignChange
from detector.reasons import CAMPAIGN
from detector.verdict_change import Versions
from streams.envelope import derived_id, rfc3339

MOST_NODES = 200

KIND_WORDS = {
    "template": "one prompt around their items",
    "shard": "items that no other of them asks, as parts of one list",
    "parameters": "the same parameters",
    "tools": "the same tools",
    "continuity": "dialogues that one began and another went on with",
    "pacing": "the same pauses",
    "signup": "accounts made within minutes",
    "key_churn": "many keys on each account",
    "failover": "accounts that woke when others were blocked",
}


class CampaignLink(msgspec.Struct, frozen=True):
    """A kind of link: different keys of it, and members that show one."""

    kind: str
    keys: int
    accounts: int


class CampaignNode(msgspec.Struct, frozen=True):
    """A member in the graph."""

    account: str
    verdict: Level
    share: float


class CampaignEdge(msgspec.Struct, frozen=True):
    """A kind of link between the campaign and one of its members."""

    account: str
    link: str


class CampaignDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a campaign. It holds no prompt text.

    Attributes:
        size, core: members, and those of them at `throttle`.
        by_day: new members by UTC day. timeline: the same by hour, seconds of the hour's start.
        item_coverage: different items over items asked: 1 is a list cut without overlap.
        evidence: parts of the score by name.
        nodes: members, at most MOST_NODES of them, the first first; `edges`: their links.
    """

    campaign: str
    size: int
    core: int
    links: list[CampaignLink]
    by_day: dict[str, int]
    timeline: list[tuple[int, int]]
    item_coverage: float | None
    evidence: dict[str, float]
    nodes: list[CampaignNode]
    edges: list[CampaignEdge]


class CampaignAlert(Alert, frozen=True, kw_only=True):
    """One revision of a campaign's alert; `scope_id` and `account` are the campaign's id."""

    campaign: CampaignDetail


def campaign_alert(
    change: CampaignChange,
    detail: CampaignDetail,
    *,
    revision: int,
    verdict: Level,
    enforced: bool,
    expires_at_s: float | None,
    versions: Versions,
    exemplars: list[str],
) -> CampaignAlert:
    """The alert's revision after `change`."""
    closed = change.change == "closed"
    state: Literal["open", "updated", "closed"] = "open" if revision == 1 else "updated"
    shared = [KIND_WORDS.get(link.kind, link.kind) for link in change.links]
    words = f"{change.size:,} accounts share {', '.join(shared) or 'their prompts'}"
    return CampaignAlert(
        alert_id=derived_id("alert", change.tenant, "campaign", change.campaign),
        revision=revision,
        state="closed" if closed else state,
        close_reason="fell" if closed else None,
        kind="campaign",
        severity=SEVERITY[verdict],
        tenant=change.tenant,
        scope="organisation",
        scope_id=change.campaign,
        account=change.campaign,
        organisation=change.organisation,
        verdict=verdict,
        proposed_verdict=None,
        enforced=enforced,
        first_seen_at=rfc3339(change.first_seen_s),
        revised_at=rfc3339(change.at_s),
        expires_at=None if expires_at_s is None else rfc3339(expires_at_s),
        requests=change.requests,
        new_pieces=change.requests,
        cue_pieces=0,
        score=change.score,
        p_value=1.0,
        reason_code=CAMPAIGN,
        main_group="campaign",
        main_reason=words,
        reasons=[
            f"{link.accounts:,} accounts: {KIND_WORDS.get(link.kind, link.kind)}."
            for link in change.links
        ],
        contributions=dict(sorted(change.parts.items())),
        cues=[],
        exemplars=exemplars,
        estimated_harvest=EstimatedHarvest(change.requests, None, None),
        atlas=EXTRACT_MODEL,
        versions=versions,
        case_text="Use of your account resembles that of a group of accounts that work as one.",
        campaign=detail,
    )
