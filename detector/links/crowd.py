"""What the cohort book remembers: accounts, link keys, and which account showed which key.

Of a key that one account alone showed only that account is kept. Of each key that two showed, the
accounts are kept up to MOST_MEMBERS; a key past that is a tool.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.links.sighting import Sighting

SAMPLED_ITEMS = 64
MOST_ASKERS = 8
EXEMPLARS = 5
MOST_MEMBERS = 100_000


@dataclass(slots=True)
class Account:
    """One account, by its last sighting.

    Attributes:
        links: every key that it shares with another account.
        parameters: link key of its last parameters, "" where unknown.
        failed_s: when it was last seen to fail again and again; None: never, or answered since.
        campaign: id of the campaign that it is a member of, "" for none.
    """

    name: str
    organisation: str | None
    first_s: float
    created_s: float | None
    last_s: float = 0.0
    requests: int = 0
    one_shot: int = 0
    foreign: int = 0
    keys: int = 0
    p_value: float | None = None
    level: str = "allow"
    parameters: str = ""
    text: float | None = None
    system: float | None = None
    pause: float | None = None
    pause_spread: float | None = None
    failed_s: float | None = None
    campaign: str = ""
    links: list[Link] = field(default_factory=list)

    def take(self, seen: Sighting) -> None:
        """Brings it up to date."""
        self.last_s = max(self.last_s, seen.at_s)
        self.requests = max(self.requests, seen.requests)
        self.one_shot = max(self.one_shot, seen.one_shot)
        self.foreign = max(self.foreign, seen.foreign)
        self.keys = max(self.keys, seen.keys or 0)
        self.organisation = seen.organisation or self.organisation
        if seen.p_value is not None:
            self.p_value = seen.p_value
        self.level = seen.level
        self.text = self.text if seen.text is None else seen.text
        self.system = self.system if seen.system is None else seen.system
        self.pause = self.pause if seen.pause is None else seen.pause
        self.pause_spread = self.pause_spread if seen.pause_spread is None else seen.pause_spread
        self.failed_s = seen.at_s if seen.failed else None
        if seen.kind == "parameters":
            self.parameters = seen.key


@dataclass(slots=True)
class Shown:
    """One account under one key: requests under it, and the account's requests, when last told."""

    under: int
    requests: int
    since_s: float


@dataclass(slots=True)
class Link:
    """One key that at least two accounts showed.

    Attributes:
        members: by account name, in the order in which they came.
        exemplars: event ids of the first that showed it.
        askers: of the smallest item hashes, who asked them (at most MOST_ASKERS each): a sample of
            all items in which every account takes part alike (bottom-k, Broder 1997).
        told: sightings so far; next_look: how many there are when it is judged next.
        fresh: accounts told since the last cut.
        tool: it carries no weight any more.
    """

    kind: str
    key: str
    first_s: float
    last_s: float
    members: dict[str, Shown] = field(default_factory=dict)
    exemplars: list[str] = field(default_factory=list)
    askers: dict[int, list[str]] = field(default_factory=dict)
    largest: int = -1
    told: int = 0
    next_look: int = 0
    fresh: dict[str, None] = field(default_factory=dict)
    tool: bool = False
    campaign: str = ""

    def take(self, account: Account, seen: Sighting) -> None:
        """Adds or renews one account under the key."""
        shown = self.members.get(account.name)
        if shown is None:
            if len(self.exemplars) < EXEMPLARS and seen.event_id:
                self.exemplars.append(seen.event_id)
            self.members[account.name] = Shown(seen.under, seen.requests, seen.at_s)
            account.links.append(self)
            self.tool = self.tool or len(self.members) > MOST_MEMBERS
        else:
            shown.under = max(shown.under, seen.under)
            shown.requests = max(shown.requests, seen.requests)
        self.told += 1
        if self.campaign:
            self.fresh[account.name] = None
        self.last_s = max(self.last_s, seen.at_s)
        for item in seen.items:
            self._ask(item, account.name)

    def _ask(self, item: int, name: str) -> None:
        askers = self.askers.get(item)
        if askers is not None:
            if len(askers) < MOST_ASKERS and name not in askers:
                askers.append(name)
            return
        if len(self.askers) >= SAMPLED_ITEMS:
            if item > self.largest:
                return
            del self.askers[self.largest]
            self.askers[item] = [name]
            self.largest = max(self.askers)
            return
        self.askers[item] = [name]
        self.largest = max(self.largest, item)

    def asked(self) -> int:
        """Items in the sample, each as often as an account asked it."""
        return sum(map(len, self.askers.values()))

    def disjoint(self) -> float | None:
        """Different items over items asked, of the sample: 1 where no two accounts ask the same.

        None where no account told items.
        """
        asked = self.asked()
        return len(self.askers) / asked if asked else None
