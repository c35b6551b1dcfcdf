"""Accounts with something in common, campaigns and innocent crowds alike, composed as a stream.

One description fits both: what tells a harvest from a class or a tool is what the accounts share
and how they divide the work, never how they were composed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streams.record import ApiRequest
from streams.traffic.actor import Actor, Strand, Touch
from streams.traffic.bank import Program
from streams.traffic.frames import in_dialogue, own_version
from streams.traffic.identity import Identity, draw_identity
from streams.traffic.lists import ItemList
from streams.traffic.timing import Job, Pace

COPIED = 0.15
"""This part of what accounts do on their own runs a program's prompt as it stands, as one copies it
from a page; the others have put it into words of their own."""

WAVE_S = 5.0
IDENTITY, PLAN, ACTOR = 1, 2, 3
"""Seeds of a member's identity, of its plan and of its requests."""


@dataclass(frozen=True, slots=True)
class Failover:
    """A part of the accounts is blocked, and as many that waited take over.

    Attributes:
        share: of the accounts blocked; as many more wait.
        at_s: when, epoch seconds. wake_s: the reserves begin within so many seconds of it.
    """

    share: float
    at_s: float
    wake_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """What the accounts of a group share, and how they differ. Times are epoch seconds.

    Attributes:
        kind: attack family or kind of crowd.
        programs: what they run; `each`: every account keeps to one, or every request draws.
        requests: median and sigma of the log-normal number of an account's requests; `cap`: none
            has more.
        share: least and most part of them that the programs make; the rest is of `side`.
        window_s: the group's; `active`: least and most part of it that an account is active.
        waves: accounts begin at so many common moments, a few seconds apart at most; 0: any time.
        timing: a Job, a pace, or None: as the program has it.
        same_habits, same_names: one set of parameters, and one set of names in the prompts.
        own_frames: part of the accounts that put the prompt into words of their own.
        organisation, networks, client, provider, model, plan_limit, time_zone_h: of all; None or
            empty: of each its own. fresh_s: when the accounts were made; None: any time.
        dialogue: so many accounts share each conversation.
        touch: see `Actor`.
    """

    kind: str
    members: int
    programs: tuple[Program, ...]
    each: Literal["account", "request"] = "account"
    items: ItemList
    requests: tuple[float, float]
    cap: int = 400
    share: tuple[float, float] = (1.0, 1.0)
    window_s: tuple[float, float]
    active: tuple[float, float] = (1.0, 1.0)
    waves: int = 0
    timing: Job | Pace | None = None
    same_habits: bool = True
    same_names: bool = True
    own_frames: float = 0.0
    changes: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    organisation: str | None = None
    networks: tuple[str, ...] = ()
    client: tuple[str, str | None] | None = None
    provider: str | None = None
    model: str | None = None
    plan_limit: float | None = None
    time_zone_h: float | None = None
    fresh_s: tuple[float, float] | None = None
    new: float = 0.25
    side: tuple[Program, ...] = ()
    side_pace: Pace | None = None
    dialogue: int = 1
    failover: Failover | None = None
    touch: Touch | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Accounts that are composed one by one when their time comes.

    Attributes:
        name: unique in a stream. seed: the same group gives the same requests.
        opens_s: float64, shape (actors,): no request of an actor is earlier.
    """

    name: str
    traits: Traits
    seed: tuple[int, ...]
    opens_s: NDArray[np.float64]

    def actor(self, number: int) -> Actor:
        """One actor: an account, or a few that share dialogues."""
        traits = self.traits
        first = number * traits.dialogue
        members = range(first, min(first + traits.dialogue, traits.members))
        rng = np.random.default_rng([*self.seed, PLAN, number])
        whose = tuple(self._identity(member) for member in members)
        strands = self._strands(number, whose, rng)
        blocked_s = None
        if traits.failover is not None and self._place(number) < traits.failover.share:
            blocked_s = traits.failover.at_s
        return Actor(whose, strands, (*self.seed, ACTOR, number), blocked_s, traits.touch)

    def accounts(self) -> list[str]:
        """Names of all accounts."""
        return [self._identity(member).account for member in range(self.traits.members)]

    def _place(self, number: int) -> float:
        return number / len(self.opens_s)

    def _identity(self, member: int) -> Identity:
        traits = self.traits
        rng = np.random.default_rng([*self.seed, IDENTITY, member])
        start_s = traits.window_s[0]
        who = draw_identity(
            rng, now_s=start_s, new=bool(rng.random() < traits.new), provider=traits.provider
        )
        changes: dict[str, Any] = {}
        if traits.organisation is not None:
            changes["organisation"] = traits.organisation
        if traits.networks:
            picks = rng.integers(len(traits.networks), size=len(who.networks))
            changes["networks"] = tuple(traits.networks[n] for n in picks.tolist())
        if traits.client is not None:
            changes["clients"] = (traits.client,)
        if traits.model is not None:
            changes["models"] = (traits.model,)
        if traits.plan_limit is not None:
            changes["plan_limit"] = traits.plan_limit
        if traits.time_zone_h is not None:
            changes["time_zone_h"] = traits.time_zone_h
        if traits.fresh_s is not None:
            changes["created_s"] = float(rng.uniform(*traits.fresh_s))
        return replace(who, **changes)

    def _strands(
        self, number: int, whose: Sequence[Identity], rng: Generator
    ) -> tuple[Strand, ...]:
        traits = self.traits
        start_s = float(self.opens_s[number])
        end_s = traits.window_s[1]
        window_s = end_s - traits.window_s[0]
        active_s = window_s * float(rng.uniform(*traits.active))
        end_s = max(start_s + 60.0, min(end_s, start_s + active_s))
        total = sum(_size(traits, rng) for _ in whose)
        own = max(1, round(total * float(rng.uniform(*traits.share))))
        strands: list[Strand] = []
        done = 0
        parts = _parts(own, self._programs(rng))
        for turn, (program, requests) in enumerate(parts):
            if requests:
                begins_s = start_s
                if isinstance(
                    traits.timing, Job
                ):  # one request after the other, program by program
                    begins_s += turn * (end_s - start_s) / self._typical()
                window = (begins_s, begins_s + end_s - start_s)
                strands.append(self._strand(number, program, requests, done, window, rng))
            done += requests
        if total > own and traits.side:
            side = traits.side[int(rng.random() * len(traits.side))]
            if rng.random() >= COPIED:
                side = own_version(side, rng)
            pace = traits.side_pace
            strands.append(Strand(side, total - own, (start_s, traits.window_s[1]), pace))
        return tuple(strands)

    def _typical(self) -> float:
        """Requests of a typical actor."""
        return max(1.0, self.traits.requests[0] * self.traits.dialogue)

    def _programs(self, rng: Generator) -> list[Program]:
        traits = self.traits
        if traits.each == "request":
            programs = list(traits.programs)
        else:
            programs = [traits.programs[int(rng.random() * len(traits.programs))]]
        if rng.random() < traits.own_frames:
            programs = [own_version(program, rng) for program in programs]
        return programs

    def _strand(
        self,
        number: int,
        program: Program,
        requests: int,
        done: int,
        window_s: tuple[float, float],
        rng: Generator,
    ) -> Strand:
        """What the actor does with one program; other programs have its list's first `done`."""
        traits, items = self.traits, self.traits.items
        start = done
        if items.cut == "own":
            start = int(rng.integers(5000))
        elif items.cut == "same" and rng.random() < 0.5:
            start = int(rng.integers(items.length))
        changes = dict(traits.changes)
        if items.cut != "own":
            changes.setdefault("item_count", requests)
        shared = int.from_bytes(_digest(*self.seed, traits.kind), "big") >> 2
        return Strand(
            program=in_dialogue(program) if traits.dialogue > 1 else program,
            requests=requests,
            window_s=window_s,
            pace=traits.timing,
            typical=self._typical() / (len(traits.programs) if traits.each == "request" else 1),
            items=None if items.cut == "own" else items,
            number=number,
            order=(start, 1),
            habit_seed=shared if traits.same_habits else None,
            name_seed=shared + 1 if traits.same_names else None,
            changes=changes,
            params=traits.params,
        )


def make_group(name: str, traits: Traits, seed: tuple[int, ...]) -> Group:
    """A group whose accounts begin anywhere in its window, reserves after the block they wait for.

    Raises ValueError for a group without members, programs or time.
    """
    if traits.members < 1 or not traits.programs or traits.window_s[1] <= traits.window_s[0]:
        raise ValueError(f"group {name}: no members, no program or no time")
    rng = np.random.default_rng(seed)
    count = -(-traits.members // traits.dialogue)
    start_s, end_s = traits.window_s
    free_s = (end_s - start_s) * (1 - min(1.0, sum(traits.active) / 2))
    place = rng.random(count)
    if traits.waves:
        place = np.floor(place * traits.waves) / traits.waves
    opens = start_s + place * free_s + rng.random(count) * WAVE_S
    if traits.failover is not None:
        waiting = np.arange(count) >= count * (1 - traits.failover.share)
        woken = traits.failover.at_s + rng.random(count) * traits.failover.wake_s
        opens = np.where(waiting, woken, opens)
    return Group(name, traits, seed, whole_ms(opens))


def whole_ms(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times cut to the milliseconds that records have: none is after the record made of it."""
    return np.floor(times_s * 1000) / 1000


def rotate_parameters(request: ApiRequest, rng: Generator) -> None:
    """Parameters drawn anew for every request, from what ordinary customers set."""
    request.temperature = (None, 0.0, 0.3, 0.7, 1.0)[int(rng.random() * 5)]
    request.top_p = (None, 0.9, 1.0)[int(rng.random() * 3)]
    request.max_tokens = (256, 512, 1024, 2048, 4096)[int(rng.random() * 5)]
    request.stream = bool(rng.random() < 0.5)


def churn_keys(request: ApiRequest, rng: Generator) -> None:
    """A new key every few hours on the same account."""
    digest = _digest(request.account or "")
    period_s = 3600.0 * (1 + digest[0] % 6)
    turn = int((request.event_time_s or 0.0) // period_s)
    request.key = "key_" + _digest(request.account or "", turn).hex()


def _digest(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()


def _size(traits: Traits, rng: Generator) -> int:
    median, sigma = traits.requests
    return int(np.clip(round(median * float(rng.lognormal(0, sigma))), 1, traits.cap))


def _parts(requests: int, programs: Sequence[Program]) -> list[tuple[Program, int]]:
    """The requests dealt out over the programs, as even as may be."""
    each, over = divmod(requests, len(programs))
    return [(program, each + (k < over)) for k, program in enumerate(programs)]
