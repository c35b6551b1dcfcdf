"""The cohort book: sightings in, campaigns out. A state machine without clock or chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection

import msgspec

from detector.links.campaign import CampaignChange
from detector.links.cleared import CLEARED, UNCLEARED, Cleared
from detector.links.cohorts import Cohort
from detector.links.crowd import Account, Link, Shown
from detector.links.evidence import Background, parts_of, traits_of, typical_of
from detector.links.sighting import Sighting

SUPPORT_ONLY = frozenset({"parameters", "signup"})
"""Kinds that are too common to make a cohort by themselves."""
OVERLAP, MOST_OVERLAP, FEW_FREE = 0.3, 0.8, 5
JOIN_SLACK = 1.0
FEW_ACCOUNTS, USUAL_TEXT = 200, -1.8
"""Below so many accounts the mean extraction logit of benign ones stands in for theirs."""


class CohortSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the cohort book decides.

    Attributes:
        epoch_s: campaigns are cut at multiples of this event time.
        alert_score: evidence from which a cohort is a campaign.
        close_score: evidence below which a campaign ends: what was told since speaks against it.
        least_accounts: a cohort has at least so many; least_in_step: one in lockstep, so many.
        core_share: a member with at least this part of its requests under the campaign's links is
            of its core.
        keep_s: keys and accounts without a sighting for so long are forgotten, and campaigns end.
    """

    epoch_s: float = 60.0
    alert_score: float = 9.0
    close_score: float = 6.0
    least_accounts: int = 12
    least_in_step: int = 4
    core_share: float = 0.3
    keep_s: float = 7 * 86_400.0


class CohortBook:
    """Link keys, accounts and campaigns of all tenants.

    The result depends only on the order of the sightings and on the epochs at which it is cut. Use:

        book = CohortBook(CohortSettings(), tools=None)
        for sighting in sightings:
            for epoch_s in book.due(sighting.at_s):   # epochs that end before this sighting
                changes += book.cut(epoch_s)
            book.apply(sighting)
    """

    def __init__(self, settings: CohortSettings, tools: Collection[str] | None = None) -> None:
        """`tools`: link keys that many unrelated accounts share; they carry no weight."""
        self.settings = settings
        self._tools = frozenset(tools or ())
        self._tenants: dict[str, _TenantBook] = {}
        self._next_s = -math.inf
        self._changed = False

    def due(self, at_s: float) -> list[float]:
        """Epochs to cut before a sighting of event time `at_s` is applied; mostly none.

        Epochs in which nothing was seen are left out.
        """
        if at_s < self._next_s:
            return []
        epoch_s = self.settings.epoch_s
        ended_s, self._next_s = self._next_s, (math.floor(at_s / epoch_s) + 1) * epoch_s
        return [ended_s] if self._changed else []

    def apply(self, sighting: Sighting) -> None:
        """Takes one sighting, in log order."""
        self._changed = True
        tenant = self._tenants.get(sighting.tenant)
        if tenant is None:
            tenant = _TenantBook(sighting.tenant, self.settings, self._tools)
            self._tenants[sighting.tenant] = tenant
        tenant.apply(sighting)

    def cut(self, epoch_s: float) -> list[CampaignChange]:
        """Campaigns that changed up to this epoch, by tenant, in the order in which they opened."""
        self._changed = False
        return [
            change
            for name in sorted(self._tenants)
            for change in self._tenants[name].cut(epoch_s)
        ]  # fmt: skip

    def finish(self) -> list[CampaignChange]:
        """Cuts the epoch in which the last sighting lies, at the end of a finite log."""
        return self.cut(self._next_s) if self._changed else []


class _Moments:
    """Mean and spread of one figure of all accounts, kept as it changes."""

    def __init__(self) -> None:
        self._n = 0
        self._sum = self._squares = 0.0

    def change(self, before: float | None, after: float) -> None:
        self._n += before is None
        self._sum += after - (before or 0.0)
        self._squares += after * after - (before or 0.0) ** 2

    def read(self) -> tuple[float, float]:
        """Mean and standard deviation; the latter at least a half, as long as few are known."""
        if self._n < FEW_ACCOUNTS:
            return USUAL_TEXT, 1.0
        mean = self._sum / self._n
        return mean, max(math.sqrt(max(self._squares / self._n - mean * mean, 0.0)), 0.5)


class _TenantBook:
    def __init__(self, tenant: str, settings: CohortSettings, tools: frozenset[str]) -> None:
        self._tenant = tenant
        self._settings = settings
        self._tools = tools
        self._accounts: dict[str, Account] = {}
        self._links: dict[str, Link] = {}
        self._lone: dict[str, Sighting] = {}
        self._cohorts: dict[str, Cohort] = {}
        self._touched: dict[str, None] = {}
        self._cleared = Cleared()
        self._reviewed = False
        self._parameters: Counter[str] = Counter()
        self._arrivals: Counter[int] = Counter()
        self._texts = _Moments()
        self._forgot_day = -1

    def apply(self, seen: Sighting) -> None:
        if seen.kind in (CLEARED, UNCLEARED):
            self._cleared.take(seen)
            for cohort in self._cohorts.values():
                cohort.look_again(seen.account)
            self._reviewed = True
            return
        account = self._accounts.get(seen.account)
        if account is None:
            account = Account(seen.account, seen.organisation, seen.first_s, seen.created_s)
            self._accounts[seen.account] = account
            self._arrivals[int(seen.first_s // 3600)] += 1
        before, text = account.parameters, account.text
        account.take(seen)
        if account.text is not None and account.text != text:
            self._texts.change(text, account.text)
        if account.parameters != before:
            if before:
                self._parameters[before] -= 1
            self._parameters[account.parameters] += 1
        for known in account.links:  # whatever is told of an account bears on its membership
            if known.campaign:
                known.fresh[account.name] = None
                self._touched[known.key] = None
        if seen.key in self._tools:
            return
        link = self._links.get(seen.key)
        if link is None:
            alone = self._lone.get(seen.key)
            if alone is None or alone.account == seen.account:
                self._lone[seen.key] = seen
                return
            link = self._links[seen.key] = Link(seen.kind, seen.key, alone.at_s, seen.at_s)
            del self._lone[seen.key]
            first = self._accounts.get(alone.account)
            if first is not None:
                link.take(first, alone)
        link.take(account, seen)
        self._touched[seen.key] = None

    def cut(self, epoch_s: float) -> list[CampaignChange]:
        touched, self._touched = self._touched, {}
        mean, spread = self._texts.read()
        background = Background(len(self._accounts), self._parameters, self._arrivals, mean, spread)
        changed: dict[str, Cohort] = {}
        closed: list[CampaignChange] = []
        for key in touched:
            link = self._links.get(key)
            if link is None or link.tool:
                continue
            cohort = self._cohorts.get(link.campaign)
            if cohort is None:
                cohort = self._judge(link, background, epoch_s)
            elif link.told >= link.next_look:
                link.next_look = link.told + max(3, link.told // 5)
                traits = traits_of(link, self._members(link), background)
                score = sum(parts_of(traits, link.kind).values())
                if score >= self._settings.alert_score:
                    cohort.learn(typical_of(traits, background))
                elif cohort.opened_by is link and score < self._settings.close_score:
                    del self._cohorts[cohort.campaign]
                    changed.pop(cohort.campaign, None)
                    closed.append(cohort.close(epoch_s))
                    continue
            if cohort is not None:
                cohort.touch(link)
                changed[cohort.campaign] = cohort
        if self._reviewed:
            self._reviewed = False
            changed |= self._cohorts
        changes = closed + [
            c for cohort in changed.values() if (c := cohort.cut(epoch_s)) is not None
        ]
        day = int(epoch_s // 86_400)
        if day != self._forgot_day:
            self._forgot_day = day
            changes += self._forget(epoch_s)
        return changes

    def _judge(self, link: Link, background: Background, epoch_s: float) -> Cohort | None:
        """The cohort that a key belongs to from now on: a new one, one it overlaps, or none."""
        settings = self._settings
        least = settings.least_in_step if link.kind == "pacing" else settings.least_accounts
        n = len(link.members)
        if link.kind in SUPPORT_ONLY or n < least:
            return None
        # Looked at anew when a tenth more was told of it: the cost grows with the log's logarithm.
        if link.told < link.next_look:
            return None
        link.next_look = link.told + max(3, link.told // 10)
        members = self._members(link)
        traits = traits_of(link, members, background)
        parts = parts_of(traits, link.kind)
        if sum(parts.values()) < settings.alert_score:
            return None
        owners = Counter(account.campaign for account, _ in members if account.campaign)
        best = max(owners, key=lambda name: (owners[name], name), default="")
        if best and owners[best] >= OVERLAP * len(members):
            return self._joined(link, self._cohorts[best], members, background)
        cohort = Cohort(
            self._tenant, link, parts, typical_of(traits, background), epoch_s, self._accounts,
            self._cleared, self._settings.core_share,
        )  # fmt: skip
        self._cohorts[cohort.campaign] = cohort
        link.campaign = cohort.campaign
        return cohort

    def _members(self, link: Link) -> list[tuple[Account, Shown]]:
        found = link.members.items()
        return [(self._accounts[name], shown) for name, shown in found if name in self._accounts]

    def _joined(
        self,
        link: Link,
        cohort: Cohort,
        members: list[tuple[Account, Shown]],
        background: Background,
    ) -> Cohort | None:
        """The cohort, if a key that many of its members show is its own; else None.

        What its members do speaks for any key of theirs, a copied prompt too. So the others under
        the key are judged by themselves; where there are next to none, it is the cohort's.
        """
        free = [(account, shown) for account, shown in members if not account.campaign]
        if len(free) >= FEW_FREE:
            score = sum(parts_of(traits_of(link, free, background), link.kind).values())
            if score < self._settings.alert_score - JOIN_SLACK:
                return None
        elif len(free) > (1.0 - MOST_OVERLAP) * len(members):
            return None
        link.campaign = cohort.campaign
        cohort.add(link)
        return cohort

    def _forget(self, epoch_s: float) -> list[CampaignChange]:
        """Drops what was not seen for long; campaigns without news end."""
        before_s = epoch_s - self._settings.keep_s
        self._cleared.forget(epoch_s)
        self._lone = {k: seen for k, seen in self._lone.items() if seen.at_s >= before_s}
        gone = [link for link in self._links.values() if link.last_s < before_s]
        for link in gone:
            del self._links[link.key]
            for name in link.members:
                account = self._accounts.get(name)
                if account is not None:
                    account.links = [kept for kept in account.links if kept is not link]
        changes = []
        for cohort in [*self._cohorts.values()]:
            if cohort.last_s < before_s:
                changes.append(cohort.close(epoch_s))
                del self._cohorts[cohort.campaign]
        return changes
