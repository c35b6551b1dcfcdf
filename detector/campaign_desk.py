"""From what changed about a campaign to what is put out: its state, members' verdicts, an alert.

A member's verdict by a campaign is a record of its own beside the verdict on the account itself, so
that neither lifts the other; whoever reads both takes the harder.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from detector.campaign_alert import (
    MOST_NODES,
    CampaignAlert,
    CampaignDetail,
    CampaignEdge,
    CampaignLink,
    CampaignNode,
    campaign_alert,
)
from detector.levels import RANK, Level
from detector.links.campaign import CampaignChange, Member
from detector.policy import Policy
from detector.reasons import CAMPAIGN
from detector.verdict_change import Kind, VerdictChange, Versions

HOUR_S = 3600


@dataclass(slots=True)
class CampaignOutputs:
    """What changes put out, in order.

    Attributes:
        changes: of the campaigns.
        verdicts: (campaign, verdict) of members.
        alerts: with the event time of their revision.
    """

    changes: list[CampaignChange] = field(default_factory=list)
    verdicts: list[tuple[str, VerdictChange]] = field(default_factory=list)
    alerts: list[tuple[CampaignAlert, float]] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A campaign that is open: verdicts of its members, and what its last alert told."""

    verdicts: dict[str, Level] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    hours: dict[int, int] = field(default_factory=dict)
    revision: int = 0
    told_size: int = 0
    told_links: tuple[str, ...] = ()


class CampaignDesk:
    """The open campaigns. The result depends only on the order of the changes."""

    def __init__(self, policy: Policy, model: str, feature_schema: str) -> None:
        self._policy = policy
        self._versions = Versions(policy.stamp, model, feature_schema)
        self._open: dict[str, _Open] = {}

    def take(self, changes: Iterable[CampaignChange]) -> CampaignOutputs:
        """What the changes put out."""
        out = CampaignOutputs()
        for change in changes:
            known = self._open.setdefault(change.campaign, _Open())
            out.changes.append(change)
            out.verdicts += [(change.campaign, v) for v in self._verdicts(change, known)]
            alert = self._alert(change, known)
            if alert is not None:
                out.alerts.append((alert, change.at_s))
            if change.change == "closed":
                del self._open[change.campaign]
        return out

    def _verdicts(self, change: CampaignChange, known: _Open) -> list[VerdictChange]:
        if change.change == "closed":
            lifted = [
                self._verdict(change, name, before, "allow", "fell", 0)
                for name, before in known.verdicts.items()
                if before != "allow"
            ]
            known.verdicts.clear()
            return lifted
        made = []
        for member in change.members:
            before = known.verdicts.get(member.account)
            if before is None:
                hour = int(change.at_s // HOUR_S) * HOUR_S
                known.hours[hour] = known.hours.get(hour, 0) + 1
            known.verdicts[member.account] = member.verdict
            known.shares[member.account] = member.share
            if before is None and member.verdict == "allow":
                continue
            kind = _kind(before or "allow", member)
            made.append(
                self._verdict(
                    change, member.account, before or "allow", member.verdict, kind, member.requests
                )
            )
        return made

    def _verdict(
        self,
        change: CampaignChange,
        account: str,
        before: Level,
        level: Level,
        kind: Kind,
        requests: int,
    ) -> VerdictChange:
        ends_s = None if level == "allow" else change.at_s + self._policy.step(level).expires_s
        return VerdictChange(
            tenant=change.tenant,
            scope="account",
            scope_id=account,
            account=account,
            organisation=change.organisation,
            kind=kind,
            from_level=before,
            to_level=level,
            proposed_level=None,
            at_s=change.at_s,
            expires_at_s=ends_s,
            enforced=not self._policy.shadow,
            suppressed=False,
            reason_code=CAMPAIGN,
            main_group="",
            groups=tuple(link.kind for link in change.links),
            account_requests=requests,
            versions=self._versions,
        )

    def _alert(self, change: CampaignChange, known: _Open) -> CampaignAlert | None:
        """A revision where there is news: an end, another kind of link, twice the members."""
        links = tuple(link.kind for link in change.links)
        news = (
            known.revision == 0
            or change.change == "closed"
            or change.size >= 2 * known.told_size
            or links != known.told_links
        )
        if not news:
            return None
        known.revision += 1
        known.told_size, known.told_links = change.size, links
        level: Level = max(known.verdicts.values(), key=RANK.__getitem__, default="allow")
        expires_s = None if level == "allow" else change.at_s + self._policy.step(level).expires_s
        return campaign_alert(
            change,
            _detail(change, known),
            revision=known.revision,
            verdict=level,
            enforced=not self._policy.shadow,
            expires_at_s=expires_s,
            versions=self._versions,
            exemplars=list(change.exemplars),
        )


def _kind(before: Level, member: Member) -> Kind:
    if RANK[member.verdict] > RANK[before]:
        return "rose"
    return "renewed" if member.verdict == before else "undone"


def _detail(change: CampaignChange, known: _Open) -> CampaignDetail:
    days: dict[str, int] = {}
    for hour, count in known.hours.items():
        day = dt.datetime.fromtimestamp(hour, dt.UTC).date().isoformat()
        days[day] = days.get(day, 0) + count
    shown = [*known.verdicts.items()][:MOST_NODES]
    return CampaignDetail(
        campaign=change.campaign,
        size=change.size,
        core=sum(RANK[level] >= RANK["throttle"] for level in known.verdicts.values()),
        links=[CampaignLink(link.kind, link.keys, link.accounts) for link in change.links],
        by_day=days,
        timeline=sorted(known.hours.items()),
        item_coverage=change.item_coverage,
        evidence=change.parts,
        nodes=[CampaignNode(name, level, known.shares[name]) for name, level in shown],
        edges=[
            CampaignEdge(name, link.kind)
            for link in change.links
            for name in link.shown_by
            if name in known.verdicts
        ],
    )
