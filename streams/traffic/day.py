"""A composed day: some hundreds of accounts of many benign kinds, and three hidden campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.bank import Program, load_bank
from streams.traffic.campaigns import Campaign, Order, compose_campaign
from streams.traffic.corpus import load_corpus
from streams.traffic.personas import SideChat, compose_account
from streams.traffic.staples import neutral_programs, staple_programs

DAY_START_S = 1_789_948_800.0
"""2026-09-21 00:00 UTC, a Monday."""

EVERY_KIND = 2
"""So many accounts of each benign kind there are at least (as far as the number allows)."""

KIND_WEIGHTS = {"chat": 5.0, "agent": 3.0, "rag": 3.0, "support": 3.0, "code": 3.0, "content": 2.0,
                "evaluate": 2.0, "judge": 2.0, "summarise": 2.0, "translation": 2.0}  # fmt: skip
"""How often a kind is met beyond that; 1 where none is given."""

HARVEST_KINDS = ("trace", "generate")
"""Families of the wide and of the mixed campaign."""

VARIED_SOURCES = frozenset(
    {"question", "math_problem", "coding_task", "instruction", "chat_message", "passage",
     "document", "dialogue", "answer", "code", "email", "ticket", "review", "persona"}
)  # fmt: skip
"""Sources of thousands of values: a campaign needs a list that long."""


@dataclass(frozen=True, slots=True)
class Day:
    """`requests` sorted by event time; `truth` maps every account to its campaign's name or its
    benign kind."""

    requests: list[ApiRequest]
    truth: Mapping[str, str]
    campaigns: tuple[Campaign, ...]


DAY_BATCHES = frozenset({"bn", "bh", "bt", "xg", "xt"})
"""Author batches of the bank that run on the day: as the bank grows, it stays the same day."""


def compose_day(
    seed: int,
    *,
    benign_accounts: int = 300,
    day_start_s: float = DAY_START_S,
    data: Path | None = None,
    programs: Sequence[Program] | None = None,
) -> Day:
    """Composes a day of 20 to 40 thousand requests (at 300 benign accounts).

    The campaigns: one wide and thin (a hundred accounts and more of at most 60 requests each), one
    mixed (a quarter harvest, the rest ordinary chat), one without any cue. `data` is the data
    folder whose released prompts fill some slots; `programs` replaces the shipped bank. The same
    arguments give the same day.
    """
    bank = tuple(programs) if programs is not None else _day_programs()
    corpus = load_corpus(data) if data is not None else None
    rng = np.random.default_rng([seed, 1])
    filler = Filler(seed)
    benign = [program for program in bank if program.label == "benign"]
    benign += staple_programs()
    requests: list[ApiRequest] = []
    truth: dict[str, str] = {}
    chats = ordinary_chat(benign)
    for number, kind in enumerate(_kinds(benign, rng, benign_accounts)):
        own = [program for program in benign if program.kind == kind]
        program = own[int(rng.random() * len(own))]
        side = None
        if rng.random() < 0.2 and program.kind not in ("chat", "reseller"):
            side = SideChat(chats[int(rng.random() * len(chats))], float(rng.uniform(0.05, 0.5)))
        account = compose_account(
            program,
            requests=_size(program, rng),
            start_s=day_start_s,
            seed=[seed, 2, number],
            side=side,
            others=benign,
            filler=filler,
            corpus=corpus,
        )
        truth[account[0].account or ""] = kind
        requests += account
    campaigns: list[Campaign] = []
    for number, order in enumerate(_orders(bank, chats, rng)):
        campaign, made = compose_campaign(
            order, start_s=day_start_s, seed=[seed, 3, number], filler=filler, corpus=corpus
        )
        campaigns.append(campaign)
        truth |= dict.fromkeys(campaign.accounts, campaign.name)
        requests += made
    requests.sort(key=lambda request: (request.event_time_s or 0.0, request.event_id))
    return Day(requests, truth, tuple(campaigns))


def _day_programs() -> tuple[Program, ...]:
    return tuple(p for p in load_bank() if p.id.partition("-")[0] in DAY_BATCHES)


def ordinary_chat(programs: Sequence[Program]) -> list[Program]:
    """Benign programs of people who chat, without tools: what campaigns hide behind."""
    return [
        program
        for program in programs
        if program.label == "benign"
        and program.kind == "chat"
        and program.conversation == "chat"
        and program.pacing == "human"
    ]


def _kinds(benign: Sequence[Program], rng: Generator, count: int) -> list[str]:
    names = sorted({program.kind for program in benign})
    weights = np.array([KIND_WEIGHTS.get(name, 1.0) for name in names])
    kinds = (names * EVERY_KIND)[:count]
    drawn = rng.choice(len(names), size=count - len(kinds), p=weights / weights.sum())
    return kinds + [names[int(index)] for index in drawn]


def _size(program: Program, rng: Generator) -> int:
    """Requests of a benign account: log-normal, machines and resellers ask more."""
    median = {"human": 35.0, "events": 60.0}.get(program.pacing, 55.0)
    if program.kind == "reseller":
        median = 250.0
    return int(np.clip(rng.lognormal(np.log(median), 0.8), 8, 700))


def _orders(bank: Sequence[Program], chats: Sequence[Program], rng: Generator) -> list[Order]:
    harvests = [
        program
        for program in bank
        if program.label == "extraction"
        and program.kind in HARVEST_KINDS
        and program.conversation == "single"
        and not program.tools
        and not VARIED_SOURCES.isdisjoint(
            origin for origin in program.slots.values() if isinstance(origin, str)
        )
    ] or list(neutral_programs())
    wide = harvests[int(rng.random() * len(harvests))]
    traces = [
        p for p in harvests if p.kind == "trace" and not p.system and len(p.wordings) == 1
    ] or harvests
    mixed = traces[int(rng.random() * len(traces))]
    # a system prompt would be a cue of its own: this campaign has to be found by what it does
    neutral = [program for program in neutral_programs() if not program.system]
    plain = neutral[int(rng.random() * len(neutral))]
    return [
        Order("wide and thin", wide, accounts=int(rng.integers(100, 131)), budget=(25, 60)),
        Order(
            "mixed",
            mixed,
            accounts=int(rng.integers(9, 13)),
            budget=(120, 400),
            share=0.25,
            pace="human" if rng.random() < 0.5 else "clock",
            chat=chats,
        ),
        Order(
            "without any cue",
            plain,
            accounts=int(rng.integers(7, 10)),
            budget=(150, 400),
            pace="clock",
            params={"temperature": 1.0, "max_tokens": 4096},
        ),
    ]
