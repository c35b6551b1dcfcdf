"""One cohort that is a campaign: its links, its members, and what of it is told next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from detector.links import FAMILY_OF
from detector.links.campaign import CampaignChange, LinkCount, Member
from detector.links.crowd import Account, Link
from streams.envelope import derived_id

LISTED_SHARE = 0.2
"""A kind of link is named where at least this part of the members shares a key of it."""
LEAST_SHARED = 3
FAILOVER_S = 6 * 3600.0
CHURN_KEYS = 3


class Cohort:
    """A campaign in the cohort book.

    Attributes:
        campaign: its id, UUIDv5 of tenant, first key and the epoch that opened it.
        last_s: when one of its links was last shown.
    """

    def __init__(
        self,
        tenant: str,
        link: Link,
        parts: Mapping[str, float],
        epoch_s: float,
        accounts: Mapping[str, Account],
        core_share: float,
    ) -> None:
        self.tenant = tenant
        self.campaign = derived_id("campaign", tenant, link.key, repr(epoch_s))
        self.last_s = link.last_s
        self._links = [link]
        self._parts = {name: round(value, 3) for name, value in parts.items()}
        self._accounts = accounts
        self._core_share = core_share
        self._members: dict[str, Member] = {}
        self._revision = 0
        self._touched: dict[str, Link] = {}

    def add(self, link: Link) -> None:
        """Another key of the same accounts."""
        self._links.append(link)

    def touch(self, link: Link) -> None:
        """A key of the cohort was shown since the last cut."""
        self._touched[link.key] = link
        self.last_s = max(self.last_s, link.last_s)

    def cut(self, epoch_s: float) -> CampaignChange | None:
        """What is new, or None."""
        told = []
        names = dict.fromkeys(name for link in self._touched.values() for name in link.members)
        self._touched = {}
        for name in names:
            account = self._accounts.get(name)
            if account is None or account.campaign not in ("", self.campaign):
                continue
            account.campaign = self.campaign
            under, share = self._part(name, account)
            core = under >= 2 and share >= self._core_share
            verdict: Literal["watch", "throttle"] = "throttle" if core else "watch"
            before = self._members.get(name)
            if before is not None and before.verdict == verdict:
                continue
            member = Member(
                tenant=self.tenant,
                account=name,
                share=round(share, 4),
                requests=account.requests,
                verdict=verdict,
                since_s=epoch_s if before is None else before.since_s,
            )
            self._members[name] = member
            told.append(member)
        if not told:
            return None
        return self._change("opened" if self._revision == 0 else "grew", epoch_s, told)

    def close(self, epoch_s: float) -> CampaignChange:
        """The end: its members are free again."""
        for link in self._links:
            link.campaign = ""
        for name in self._members:
            account = self._accounts.get(name)
            if account is not None:
                account.campaign = ""
        return self._change("closed", epoch_s, [])

    def _part(self, name: str, account: Account) -> tuple[int, float]:
        """Requests of a member under the campaign's links, and their part of all its requests."""
        by_kind: Counter[str] = Counter()
        requests = 1
        for link in self._links:
            shown = link.members.get(name)
            if shown is not None:
                by_kind[link.kind] += shown.under
                requests = max(requests, shown.requests)
        under = max(by_kind.values(), default=0)
        return under, min(under / requests, 1.0)

    def _change(
        self, change: Literal["opened", "grew", "closed"], epoch_s: float, told: list[Member]
    ) -> CampaignChange:
        self._revision += 1
        main = max(self._links, key=lambda link: len(link.members))
        disjoint = main.disjoint()
        organisations = {
            self._accounts[name].organisation for name in self._members if name in self._accounts
        }
        return CampaignChange(
            tenant=self.tenant,
            campaign=self.campaign,
            revision=self._revision,
            change=change,
            at_s=epoch_s,
            first_seen_s=min(link.first_s for link in self._links),
            size=len(self._members),
            members=tuple(told),
            links=self._kinds(disjoint),
            score=round(sum(self._parts.values()), 3),
            parts=self._parts,
            requests=sum(shown.under for shown in main.members.values()),
            item_coverage=None if disjoint is None else round(disjoint, 4),
            organisation=organisations.pop() if len(organisations) == 1 else None,
        )

    def _kinds(self, disjoint: float | None) -> tuple[LinkCount, ...]:
        """Kinds of link that the members share, by name."""
        members = [self._accounts[name] for name in self._members if name in self._accounts]
        shared: Counter[str] = Counter()
        links: dict[str, Link] = {}
        for account in members:
            for link in account.links:
                links[link.key] = link
                shared[link.key] += 1
        keys: Counter[str] = Counter()
        for key, count in shared.items():
            # A key that as many strangers show says nothing of these accounts.
            if count >= LEAST_SHARED and count >= 0.5 * len(links[key].members):
                keys[FAMILY_OF[links[key].kind]] += 1
        counts: Counter[str] = Counter()
        for account in members:
            told = {
                FAMILY_OF[link.kind]
                for link in account.links
                if shared[link.key] >= LEAST_SHARED
                and shared[link.key] >= 0.5 * len(link.members)
            }  # fmt: skip
            counts.update(told)
        least = LISTED_SHARE * len(members)
        found = [
            LinkCount(kind=kind, keys=keys[kind], accounts=count)
            for kind, count in counts.items()
            if count >= least
        ]
        if disjoint is not None and disjoint >= 0.9:
            found.append(LinkCount(kind="shard", keys=1, accounts=len(members)))
        churned = sum(account.keys >= CHURN_KEYS for account in members)
        if churned >= max(least, 1):
            found.append(LinkCount(kind="key_churn", keys=1, accounts=churned))
        woken = self._woken(members)
        if woken >= max(0.1 * len(members), LEAST_SHARED):
            found.append(LinkCount(kind="failover", keys=1, accounts=woken))
        return tuple(sorted(found, key=lambda link: link.kind))

    def _woken(self, members: list[Account]) -> int:
        """Members that came within hours of others' block."""
        blocked = [account.first_s for account in members if account.level in ("block", "restrict")]
        if not blocked:
            return 0
        since_s = min(blocked)
        return sum(since_s < account.first_s <= since_s + FAILOVER_S for account in members)
