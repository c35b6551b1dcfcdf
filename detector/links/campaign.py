"""A campaign: accounts that act together, as the cohort book tells it."""

from __future__ import annotations

from typing import Literal

import msgspec

CampaignKind = Literal["opened", "grew", "closed"]


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One account of a campaign.

    Attributes:
        share: part of its requests that ran under the campaign's links, 0 to 1.
        requests: requests of the account when it was last seen.
        verdict: "throttle" for the core, "watch" for the fringe, "allow" for who was cleared.
        since_s: event time at which it became a member.
    """

    tenant: str
    account: str
    share: float
    requests: int
    verdict: Literal["allow", "watch", "throttle"]
    since_s: float


class LinkCount(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of link within a campaign.

    Attributes:
        kind: name of the link kind (`detector.links.KINDS`) or "shard", "failover", "key_churn".
        keys: different link keys of that kind.
        accounts: members that showed one of them; `shown_by`: the first of them.
    """

    kind: str
    keys: int
    accounts: int
    shown_by: tuple[str, ...] = ()


class CampaignChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changed about one campaign at an epoch.

    Attributes:
        campaign: UUIDv5 of tenant, first link key and the epoch that opened it.
        revision: 1 at opening, then counts up.
        change: "opened"; "grew" (members were added or moved between core and fringe, or links);
            "closed".
        at_s: the epoch, UTC epoch seconds of event time.
        first_seen_s: first sighting of its links.
        size: members in all.
        members: all members at opening, afterwards those that are new or whose verdict changed.
        links: kinds of link with counts, by name.
        score: sum of the evidence, see `detector.links.evidence`; `parts` its parts by name.
        requests: requests under the campaign's links so far.
        item_coverage: different items over items asked, 0 to 1: 1 is a list cut without overlap.
        exemplars: event ids of requests that first showed its links.
        organisation: set where all members are of one organisation.
    """

    tenant: str
    campaign: str
    revision: int
    change: CampaignKind
    at_s: float
    first_seen_s: float
    size: int
    members: tuple[Member, ...]
    links: tuple[LinkCount, ...]
    score: float
    parts: dict[str, float]
    requests: int
    item_coverage: float | None
    exemplars: tuple[str, ...] = ()
    organisation: str | None = None
