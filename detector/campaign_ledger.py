"""The ledger of campaigns: what is known of each after a run, kept from changes alone."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detector.levels import RANK, Level
from detector.links.campaign import CampaignChange


class CampaignSummary(msgspec.Struct, kw_only=True, frozen=True):
    """One campaign, as `stillwatch replay --json` prints it.

    Attributes:
        members: its accounts, sorted. core: how many of them are at `throttle`.
        links: kinds of link, each with the number of members that share it.
        verdict: the hardest of its members.
        first_alert_at_s: the epoch at which it opened; first_seen_s: first sighting of its links.
        requests: under its links. item_coverage: see `CampaignChange`.
    """

    campaign: str
    members: list[str]
    core: int
    links: dict[str, int]
    verdict: Level
    first_alert_at_s: float
    first_seen_s: float
    score: float
    requests: int
    item_coverage: float | None
    tenant: str = "default"

    def json_line(self) -> str:
        """The summary as one JSON object; the tenant is left out where it is the default."""
        fields = msgspec.structs.asdict(self)
        if self.tenant == "default":
            del fields["tenant"]
        return msgspec.json.encode(fields).decode()


class CampaignLedger:
    """Campaigns in the order in which they opened. Feed it every change in order."""

    def __init__(self) -> None:
        self._first: dict[str, float] = {}
        self._last: dict[str, CampaignChange] = {}
        self._verdicts: dict[str, dict[str, Level]] = {}

    def add(self, changes: Iterable[CampaignChange]) -> None:
        """Takes changes into account."""
        for change in changes:
            self._first.setdefault(change.campaign, change.at_s)
            self._last[change.campaign] = change
            verdicts = self._verdicts.setdefault(change.campaign, {})
            for member in change.members:
                verdicts[member.account] = member.verdict

    def summaries(self) -> list[CampaignSummary]:
        """Every campaign that ever opened, by the time of its alert, then by id."""
        found = []
        for campaign, last in self._last.items():
            verdicts = self._verdicts[campaign]
            found.append(
                CampaignSummary(
                    campaign=campaign,
                    members=sorted(verdicts),
                    core=sum(RANK[level] >= RANK["throttle"] for level in verdicts.values()),
                    links={link.kind: link.accounts for link in last.links},
                    verdict=max(verdicts.values(), key=RANK.__getitem__, default="allow"),
                    first_alert_at_s=self._first[campaign],
                    first_seen_s=last.first_seen_s,
                    score=last.score,
                    requests=last.requests,
                    item_coverage=last.item_coverage,
                    tenant=last.tenant,
                )
            )
        return sorted(found, key=lambda c: (c.first_alert_at_s, c.tenant, c.campaign))
