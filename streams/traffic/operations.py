"""Harvests by many accounts that look light one by one, with what operators do to be missed.

Sizes and daily numbers follow public reports: hundreds to 25,000 accounts, 13 to 857 exchanges an
account and day. One job is cut over the accounts; what it asks comes from the program bank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.random import Generator

from streams.traffic.bank import Program
from streams.traffic.day import VARIED_SOURCES
from streams.traffic.frames import paraphrases
from streams.traffic.grammar import ALL_DOMAINS
from streams.traffic.group import (
    Failover,
    Group,
    Traits,
    churn_keys,
    make_group,
    rotate_parameters,
)
from streams.traffic.identity import MODELS, draw_client, draw_network
from streams.traffic.lists import Cut, draw_list
from streams.traffic.timing import DAY_S, Job

Evasion = Literal["none", "jitter", "paraphrased", "key_churn", "split", "rotated", "half_ordinary"]
EVASIONS: tuple[Evasion, ...] = get_args(Evasion)

PARAPHRASES = 10
MIN_SHIFT_S = 9 * 3600.0


@dataclass(frozen=True, slots=True)
class Operation:
    """A planted campaign.

    Attributes:
        group: its accounts. program: what it harvests with. exchanges: about how many are ordered.
        links: kinds of link that were planted on purpose, as the families of link
            keys are called, and `shard`, `key_churn`, `failover`.
        share: part of its requests that are harvest.
    """

    group: Group
    evasion: Evasion
    program: str
    family: str
    lang: str
    accounts: int
    exchanges: int
    share: float
    links: frozenset[str]


def harvests(programs: Sequence[Program]) -> list[Program]:
    """Extraction programs whose items come from sources of thousands: a campaign needs the list."""
    return [
        p
        for p in programs
        if p.label == "extraction"
        and any(isinstance(o, str) and o in VARIED_SOURCES for o in p.slots.values())
    ]


def draw_operation(
    name: str,
    program: Program,
    ordinary: Sequence[Program],
    *,
    accounts: int,
    each: int,
    evasion: Evasion,
    start_s: float,
    seed: tuple[int, ...],
    span_s: float = DAY_S,
) -> Operation:
    """One campaign of `accounts` with about `each` requests an account over a day.

    What is not an evasion is drawn: how the list is cut, shifts, pauses, a part of ordinary use,
    made for the purpose or bought accounts, one client or imitated ones, own addresses or a pool
    of proxies, reserves that wake when others are blocked. Raises ValueError without `ordinary`
    programs.
    """
    if not ordinary:
        raise ValueError(f"campaign {name} has no ordinary programs to hide behind")
    rng = np.random.default_rng([*seed, 11])
    pool = int(rng.integers(3, 6)) if evasion == "split" else 1
    share = _share(evasion, rng)
    cut: Cut = ("range", "stride", "sampled")[int(rng.integers(3))]
    actors = -(-accounts // pool)
    provider = "openai" if rng.random() < 0.65 else "anthropic"
    traits = Traits(
        kind=program.kind,
        members=accounts,
        programs=(program,),
        items=draw_list(rng, cut, accounts=actors, each=2 * each * pool),
        requests=(float(each), 0.0),
        cap=each,
        share=(share, share),
        window_s=_shift(start_s, span_s, rng),
        active=(_active(rng),) * 2,
        waves=int(rng.integers(3, 40)) if rng.random() < 0.4 else 0,
        timing=Job(jitter=float(rng.uniform(0.02, 0.3))),
        changes={"domains": ALL_DOMAINS},
        provider=provider,
        model=str(MODELS[provider][int(rng.integers(len(MODELS[provider])))]),
        side=tuple(ordinary),
        dialogue=pool,
    )
    links = {"template", "shard", "parameters", "pacing"}
    traits, planted = _procured(traits, start_s, rng)
    links |= planted
    if rng.random() < 0.5:
        at_s = float(rng.uniform(*_inner(traits.window_s, 0.3, 0.7)))
        wake_s = float(rng.uniform(0.2, 2.0)) * 3600
        traits = replace(traits, failover=Failover(float(rng.uniform(0.08, 0.2)), at_s, wake_s))
        links.add("failover")
    if program.tools:
        links.add("tools")
    traits = _evading(traits, evasion, rng, links)
    return Operation(
        make_group(name, traits, seed), evasion, program.id, program.kind, program.lang, accounts,
        accounts * each, share, frozenset(links),
    )  # fmt: skip


def _share(evasion: Evasion, rng: Generator) -> float:
    """Part of the requests that is harvest; most campaigns mix in nothing, some a little."""
    pure, part = rng.random() < 0.6, float(rng.uniform(0.75, 0.95))
    if evasion == "half_ordinary":
        return 0.5
    return 1.0 if pure else part


def _shift(start_s: float, span_s: float, rng: Generator) -> tuple[float, float]:
    """The whole span, or the shift of those who run it: all start and stop together."""
    if rng.random() < 0.6 or span_s <= MIN_SHIFT_S:
        return start_s, start_s + span_s
    shift_s = float(rng.uniform(MIN_SHIFT_S, span_s))
    begin_s = start_s + float(rng.random()) * (span_s - shift_s)
    return begin_s, begin_s + shift_s


def _active(rng: Generator) -> float:
    """Part of the window that one account is active: few at a time, or all of them slowly."""
    return float(np.exp(rng.uniform(np.log(0.08), 0.0)))


def _inner(window_s: tuple[float, float], low: float, high: float) -> tuple[float, float]:
    start_s, end_s = window_s
    return start_s + low * (end_s - start_s), start_s + high * (end_s - start_s)


def _procured(traits: Traits, start_s: float, rng: Generator) -> tuple[Traits, set[str]]:
    """Where the accounts, addresses and clients come from."""
    changes: dict[str, Any] = {}
    planted: set[str] = set()
    if rng.random() < 0.5:  # made for the purpose; else bought, of any age
        before_s = start_s - float(rng.uniform(1, 20)) * DAY_S
        changes["fresh_s"] = (before_s, before_s + float(rng.uniform(0.2, 3)) * DAY_S)
        changes["fresh_s"] = (before_s, min(start_s, changes["fresh_s"][1]))
        changes["plan_limit"] = float(rng.choice([200, 1000, 5000, 20_000]))
        planted.add("signup")
    if rng.random() < 0.5:
        changes["networks"] = tuple(
            draw_network(rng) for _ in range(int(rng.integers(4, max(5, traits.members // 3))))
        )
    if rng.random() < 0.5:
        changes["client"] = draw_client(traits.provider or "openai", rng)
    return replace(traits, **changes), planted


def _evading(traits: Traits, evasion: Evasion, rng: Generator, links: set[str]) -> Traits:
    """The traits under an evasion; `links` loses what it hides and gains what it shows."""
    match evasion:
        case "jitter":
            links.discard("pacing")
            low = float(rng.uniform(0.1, 0.4))
            return replace(
                traits,
                timing=Job(jitter=float(rng.uniform(1.01, 1.5)), common=False),
                active=(low, min(1.0, 3 * low)),
                waves=0,
                requests=(traits.requests[0], 0.4),
                cap=2 * traits.cap,
            )
        case "paraphrased":
            each: Literal["account", "request"] = "account" if rng.random() < 0.5 else "request"
            return replace(
                traits, programs=paraphrases(traits.programs[0], PARAPHRASES, rng), each=each
            )
        case "key_churn":
            links.add("key_churn")
            return replace(traits, touch=churn_keys)
        case "split":
            links.add("continuity")
            return replace(traits, changes=traits.changes | {"followups": 3.0})
        case "rotated":
            links.discard("parameters")
            return replace(traits, touch=rotate_parameters)
        case "none" | "half_ordinary":
            return traits
