"""A world judged by the cohort book: which campaigns it tells of, when, and whom they throttle."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.links.book import CohortBook, CohortSettings
from detector.links.campaign import CampaignChange
from models.campaigns.worlds import World


@dataclass(slots=True)
class Found:
    """One campaign that the book told of.

    Attributes:
        at_s: of its opening. owners: part of the world -> members of it. links: kinds named.
        size, score: at its last revision.
    """

    at_s: float
    owners: Counter[int] = field(default_factory=Counter)
    links: set[str] = field(default_factory=set)
    size: int = 0
    score: float = 0.0

    @property
    def owner(self) -> int:
        """The part that most members are of."""
        return min(self.owners, key=lambda part: (-self.owners[part], part))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the book made of a world.

    Attributes:
        found: campaigns in the order of their opening.
        throttled_s: float64, shape (a,): when a campaign's verdict throttled the account; inf
            where none did. watched: bool, shape (a,): at `watch` or above by a campaign.
    """

    found: tuple[Found, ...]
    throttled_s: NDArray[np.float64]
    watched: NDArray[np.bool_]


def judge(world: World, settings: CohortSettings | None = None) -> Judgement:
    """Applies the world's sightings in order, cutting at every epoch that ends before one."""
    book = CohortBook(settings or CohortSettings())
    number = {name: at for at, name in enumerate(world.names.tolist())}
    throttled = np.full(len(world.names), np.inf)
    watched = np.zeros(len(world.names), np.bool_)
    found: dict[str, Found] = {}
    seen: dict[str, set[int]] = {}

    def take(changes: list[CampaignChange]) -> None:
        for change in changes:
            campaign = found.setdefault(change.campaign, Found(change.at_s))
            mine = seen.setdefault(change.campaign, set())
            campaign.links |= {link.kind for link in change.links}
            campaign.size, campaign.score = change.size, change.score
            for member in change.members:
                account = number[member.account]
                if member.verdict == "allow":
                    continue  # cleared by a person
                watched[account] = True
                if account not in mine:
                    mine.add(account)
                    campaign.owners[int(world.part[account])] += 1
                if member.verdict == "throttle":
                    throttled[account] = min(throttled[account], change.at_s)

    for sighting in world.in_order():
        for epoch_s in book.due(sighting.at_s):
            take(book.cut(epoch_s))
        book.apply(sighting)
    take(book.finish())
    return Judgement(tuple(found.values()), throttled, watched)
