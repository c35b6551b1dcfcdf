"""Who is composed: strangers in shards, innocent crowds, campaigns of every row.

There are two draws. What is shaped or set (thresholds of the baselines, of `detector.links`) is
shaped on the tuning draw; the report is of the other one. They share no program of the bank: author
batches are split between them, and no seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal
from zlib import crc32

import numpy as np

from models.campaigns.plan import CampaignPlan
from streams.traffic.bank import Program, load_bank
from streams.traffic.crowds import CROWDS, draw_crowd
from streams.traffic.operations import Evasion, draw_operation, harvests
from streams.traffic.population import make_population
from streams.traffic.stream import Accounts

Draw = Literal["tuning", "report"]

TUNING_BATCHES = frozenset({"xg", "bn"})
REPORT_BATCHES = frozenset({"xt", "bh", "bt"})
"""Author batches of the bank; a batch of neither goes by the parity of its name's checksum."""

DAY_S = 1_791_158_400.0
"""2026-10-05 00:00 UTC, a Monday: start of every world."""

ORDINARY_KINDS = frozenset({"chat", "content", "code", "tutor", "support", "translation"})
"""What a campaign's accounts do beside harvesting."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece to compose: a campaign, a crowd, or a shard of strangers.

    Attributes:
        name: unique in a plan. kind: "campaign", "crowd" or "strangers".
        row: row of the plan, kind of the crowd, or "strangers".
        world: number of the world it belongs to; None: all.
        accounts: of a shard or campaign; most of a crowd. each, evasion: of a campaign.
        place: of a campaign among all, world by world: no two of a world run the same program.
    """

    draw: Draw
    name: str
    kind: Literal["campaign", "crowd", "strangers"]
    row: str
    number: int
    world: int | None
    accounts: int
    each: int = 0
    evasion: Evasion = "none"
    place: int = 0


@dataclass(frozen=True, slots=True)
class Planted:
    """What is known of a composed part beforehand.

    Attributes:
        accounts: who is composed. links: kinds of link planted. family, lang: of what it harvests.
    """

    accounts: Accounts
    links: frozenset[str] = frozenset()
    program: str = ""
    family: str = ""
    lang: str = ""


def parts_of(plan: CampaignPlan, draw: Draw) -> list[Part]:
    """All parts of a draw, campaigns last."""
    tuning = draw == "tuning"
    strangers = plan.tuning_strangers if tuning else plan.strangers
    crowds = plan.tuning_crowds if tuning else plan.crowds
    worlds = 1 if tuning else plan.worlds
    parts = [
        Part(draw, f"strangers {n}", "strangers", "strangers", n, None, size)
        for n, size in enumerate(_sizes(strangers, plan.shard))
    ]
    kinds = list(CROWDS)
    parts += [
        Part(draw, f"crowd {n}", "crowd", kinds[n % len(kinds)], n, n % worlds, plan.most)
        for n in range(crowds)
    ]
    campaigns: list[Part] = []
    for at, row in enumerate(plan.rows):
        campaigns += [
            Part(
                draw, f"{row.name} {n}", "campaign", row.name, n, (n + at) % worlds, row.accounts,
                row.each, row.evasion,
            )
            for n in range(plan.tuning_campaigns if tuning else row.campaigns)
        ]  # fmt: skip
    campaigns.sort(key=lambda part: part.world or 0)
    return parts + [replace(part, place=place) for place, part in enumerate(campaigns)]


def plant(part: Part, seed: int) -> Planted:
    """The part's accounts, ready to be composed."""
    programs = programs_of(part.draw)
    key = (seed, crc32(part.draw.encode()), crc32(part.row.encode()), part.number)
    if part.kind == "strangers":
        made = make_population(part.accounts, programs, key, start_s=DAY_S, name=part.name)
        return Planted(made)
    if part.kind == "crowd":
        crowd = draw_crowd(
            part.name, part.row, programs, start_s=DAY_S, seed=key, most=part.accounts
        )
        return Planted(crowd, program=crowd.traits.programs[0].id)
    found = harvests(programs)
    order = np.random.default_rng(key[:2]).permutation(len(found))
    ordinary = [p for p in programs if p.label == "benign" and p.kind in ORDINARY_KINDS]
    made_op = draw_operation(
        part.name, found[int(order[part.place % len(found)])], ordinary, accounts=part.accounts,
        each=part.each, evasion=part.evasion, start_s=DAY_S, seed=key,
    )  # fmt: skip
    return Planted(made_op.group, made_op.links, made_op.program, made_op.family, made_op.lang)


def programs_of(draw: Draw) -> list[Program]:
    """The bank's programs of a draw's author batches."""
    return [p for p in load_bank() if _draw_of(p.id.partition("-")[0]) == draw]


def _draw_of(batch: str) -> Draw:
    if batch in TUNING_BATCHES:
        return "tuning"
    if batch in REPORT_BATCHES:
        return "report"
    return "tuning" if crc32(batch.encode()) % 2 else "report"


def _sizes(total: int, each: int) -> list[int]:
    full, rest = divmod(total, each)
    return [each] * full + ([rest] if rest else [])
