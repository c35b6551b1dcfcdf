"""One cohort that is a campaign: its links, its members, and what of it is told next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from detector.links.campaign import CampaignChange, LinkCount, Member
from detector.links.cleared import Cleared
from detector.links.crowd import Account, Link
from detector.links.evidence import LIKELY_P, Typical
from detector.links.kinds import EVEN_PAUSES, LIKE_PAUSES, kinds_of
from streams.envelope import derived_id

RENEW_S = 86_400.0
"""A member that goes on is told again after so long, so that its verdict is renewed."""

CLOSING = {"closing"}
LONE_SHARE = 0.6
"""Of a member that nothing but one kind of key ties to the rest, this part must be under it."""


class Cohort:
    """A campaign in the cohort book.

    Attributes:
        campaign: its id, UUIDv5 of tenant, first key and the epoch that opened it.
        last_s: when one of its links was last shown.
        opened_by: the key whose breadth opened it.
    """

    def __init__(
        self,
        tenant: str,
        link: Link,
        parts: Mapping[str, float],
        typical: Typical,
        epoch_s: float,
        accounts: Mapping[str, Account],
        cleared: Cleared,
        core_share: float,
    ) -> None:
        self.tenant = tenant
        self.campaign = derived_id("campaign", tenant, link.key, repr(epoch_s))
        self.last_s = link.last_s
        self.opened_by = link
        self._links = [link]
        link.fresh = dict.fromkeys(link.members)
        self._parts = {name: round(value, 3) for name, value in parts.items()}
        self._accounts = accounts
        self._cleared = cleared
        self._again: dict[str, None] = {}
        self._told_s: dict[str, float] = {}
        self._core_share = core_share
        self._members: dict[str, Member] = {}
        self._revision = 0
        self._typical = typical
        self._kinds: tuple[LinkCount, ...] = ()
        self._kinds_at = 0
        self._touched: dict[str, Link] = {}

    def add(self, link: Link) -> None:
        """Another key of the same accounts."""
        self._links.append(link)
        link.fresh = dict.fromkeys(link.members)

    def learn(self, typical: Typical) -> None:
        """What is typical, known better now that more was told."""
        self._typical = typical

    def touch(self, link: Link) -> None:
        """A key of the cohort was shown since the last cut."""
        self._touched[link.key] = link
        self.last_s = max(self.last_s, link.last_s)

    def look_again(self, account: str) -> None:
        """A person spoke about an account, or ("") about an organisation or a campaign."""
        names = [account] if account else self._members
        self._again |= dict.fromkeys(name for name in names if name in self._members)

    def cut(self, epoch_s: float) -> CampaignChange | None:
        """What is new, or None."""
        told = []
        names: dict[str, None] = {}
        for link in self._touched.values():
            names |= link.fresh
            link.fresh = {}
        names |= self._again
        self._touched, self._again = {}, {}
        for name in names:
            account = self._accounts.get(name)
            if account is None or account.campaign not in ("", self.campaign):
                continue
            under, share, signs = self._part(name, account)
            if signs == CLOSING:
                continue  # texts of strangers end alike, too
            account.campaign = self.campaign
            core = _is_core(len(signs), under, share, account.requests, self._core_share)
            verdict: Literal["allow", "watch", "throttle"] = "throttle" if core else "watch"
            if self._cleared.covers(name, account.organisation, self.campaign, epoch_s):
                verdict = "allow"
            before = self._members.get(name)
            if before is not None and before.verdict == verdict:
                aged = epoch_s - self._told_s[name] >= RENEW_S
                if verdict == "allow" or not aged or account.last_s <= self._told_s[name]:
                    continue
            self._told_s[name] = epoch_s
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

    def _part(self, name: str, account: Account) -> tuple[int, float, set[str]]:
        """What ties a member to the rest.

        Returns:
            Requests under the campaign's links; their part of all its requests; and the signs: the
            kinds of those links, its own score, dialogues of others, and what of `Typical` it has.
        """
        by_kind: Counter[str] = Counter()
        requests = 1
        for link in self._links:
            shown = link.members.get(name)
            if shown is not None:
                # An even stretch is shown late; who runs one runs all by the same program.
                by_kind[link.kind] += shown.requests if link.kind == "pacing" else shown.under
                requests = max(requests, shown.requests)
        signs = set(by_kind)
        if "pacing" in signs:  # a moment and a pause
            signs.add("pause")
        if account.foreign >= 1:
            signs.add("foreign")
        if account.p_value is not None and account.p_value <= LIKELY_P:
            signs.add("score")
        typical = self._typical
        said = [text for text in (account.text, account.system) if text is not None]
        if typical.wording is not None and said and max(said) >= typical.wording:
            signs.add("wording")
        if typical.pause is not None and account.pause is not None:
            even = account.pause_spread is not None and account.pause_spread <= EVEN_PAUSES
            if even and abs(account.pause - typical.pause) <= LIKE_PAUSES:
                signs.add("pauses")
        if account.parameters and account.parameters == typical.parameters:
            signs.add("parameters")
        under = max(by_kind.values(), default=0)
        return under, min(under / requests, 1.0), signs

    def _change(
        self, change: Literal["opened", "grew", "closed"], epoch_s: float, told: list[Member]
    ) -> CampaignChange:
        self._revision += 1
        members = [self._accounts[name] for name in self._members if name in self._accounts]
        main = max(self._links, key=lambda link: len(link.members))
        disjoint = main.disjoint()
        if self._revision == 1 or len(members) >= 1.1 * self._kinds_at or change == "closed":
            self._kinds, self._kinds_at = kinds_of(members, disjoint), len(members)
        organisations = {account.organisation for account in members}
        return CampaignChange(
            tenant=self.tenant,
            campaign=self.campaign,
            revision=self._revision,
            change=change,
            at_s=epoch_s,
            first_seen_s=min(link.first_s for link in self._links),
            size=len(self._members),
            members=tuple(told),
            links=self._kinds,
            score=round(sum(self._parts.values()), 3),
            parts=self._parts,
            requests=sum(shown.under for shown in main.members.values()),
            item_coverage=None if disjoint is None else round(disjoint, 4),
            exemplars=tuple(main.exemplars),
            organisation=organisations.pop() if len(organisations) == 1 else None,
        )


def _is_core(signs: int, under: int, share: float, requests: int, core_share: float) -> bool:
    """Whether a member is of the core: the fewer signs, the more it must have done under them."""
    if signs >= 3:
        return requests >= 2
    if signs == 2:
        return share >= core_share and (under >= 2 or requests >= 3)
    return share >= LONE_SHARE and under >= 2
