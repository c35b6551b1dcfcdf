"""Composes the accounts of a cell: who runs what, which of the requests are harvest.

Everything about an account but its label's program is drawn without looking at the label: identity,
share of chat, field profile, span. The same job gives the same account at every scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.accounts import START_S, Account
from models.evaluate.evade import REWRITES, evading_program
from models.evaluate.matching import LISTS, matchable, matched_units
from models.evaluate.plan import Cell
from models.evaluate.units import Unit, World, bank_fold, origin_fold
from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.bank import Program
from streams.traffic.corpus import Corpus
from streams.traffic.grammar import ALL_DOMAINS
from streams.traffic.identity import draw_identity
from streams.traffic.masks import apply_profile, draw_profile
from streams.traffic.personas import WIDE_KINDS, Items, compose_account
from streams.traffic.timing import DAY_S, Pace

BENIGN_MIXED = 0.4
"""This part of the benign accounts mixes its program with chat, by a share of any size."""

PROFILE_SEED, IDENTITY_SEED, PART_SEED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Job:
    """One account to compose: its cell, its program and the number of the copy."""

    cell: Cell
    unit: Unit
    copy: int
    folds: int

    @property
    def fold(self) -> int:
        """The fold whose model judges it. The literature's benign accounts are of one population
        that no training has seen, so they are dealt out to the folds evenly."""
        if self.cell.setting == "templates":
            return origin_fold(self.unit.unit, self.folds)
        if self.cell.setting == "templates_bank_only":
            return bank_fold(self.cell.bank_part)
        if self.cell.setting == "literature" and self.cell.label == "benign":
            return crc32(f"{self.unit.unit}#{self.copy}".encode()) % self.folds
        return self.unit.fold

    @property
    def half(self) -> int:
        """CALIBRATION or TEST. In the literature's setting benign accounts are independent draws
        from one population, so there it is split by account; elsewhere by program."""
        return self.copy % 2 if self.cell.setting == "literature" else self.unit.half

    @property
    def name(self) -> str:
        """Unique in a plan."""
        return f"{self.cell.name}/{self.unit.program.id}#{self.copy}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A composed account.

    Attributes:
        harvest: bool, shape (r,): requests that its extraction program made and that were answered.
    """

    account: Account
    harvest: NDArray[np.bool_]


def jobs_of(cell: Cell, world: World, seed: int) -> list[Job]:
    """The cell's accounts: its programs in turn, in an order drawn from the seed."""
    pool = _pool(cell, world)
    if not pool:
        return []
    order = np.random.default_rng([seed, cell.seed]).permutation(len(pool)).tolist()
    once = cell.setting.startswith("templates")
    return [
        Job(cell, pool[order[i % len(pool)]], i // len(pool), world.folds)
        for i in range(min(cell.accounts, len(pool)) if once else cell.accounts)
    ]


def _pool(cell: Cell, world: World) -> list[Unit]:
    units = [u for u in world.units if u.program.label == cell.label]
    if cell.setting == "literature":
        if cell.label == "benign":
            plain = {p.id for p in world.plain}
            return [u for u in units if u.program.id in plain and u.source == "bank"]
        others = [
            u for u in units
            if u.source == "bank" and "chat_message" not in u.program.slots.values()
        ]  # fmt: skip
        lang = world.plain[0].lang
        return [u for u in others if u.program.lang == lang] or others
    if cell.setting == "matched":
        matched = {id(u) for pool in matched_units(world.units).values() for u in pool}
        return [u for u in units if id(u) in matched]
    if cell.setting.startswith("templates"):
        return [u for u in units if u.source == "templates"]
    if cell.evasion == "translated":
        return [u for u in units if u.program.lang != "en"]
    if cell.evasion == "split_system":
        return [u for u in units if u.program.system]
    return units


@dataclass(slots=True)
class Composition:
    """Composes jobs; holds what accounts share."""

    world: World
    seed: int
    corpus: Corpus | None
    filler: Filler

    def compose(self, job: Job) -> Judged:
        """The account of a job, of exactly `cell.requests` requests."""
        cell, program = job.cell, job.unit.program
        key = [self.seed, cell.seed, crc32(program.id.encode()), job.copy]
        rng = np.random.default_rng(key)
        share = self._share(job, rng)
        own = max(1, round(share * cell.requests))
        span_s = float(rng.uniform(0.3, 3.0)) * DAY_S * max(1.0, cell.requests / 200)
        paced = cell.evasion in ("paced", "mixed_paced")
        if paced:
            span_s = max(span_s, 3 * DAY_S)
        start_s = START_S + float(rng.uniform(0, 7 * DAY_S))
        wide = program.kind in WIDE_KINDS and rng.random() < 0.4
        who = draw_identity(
            np.random.default_rng([*key, IDENTITY_SEED]), now_s=start_s, account=job.name,
            wide=wide, new=bool(rng.random() < 0.35),
        )  # fmt: skip
        pace: Pace | None = "human" if paced else None
        items, program = self._items(job, program, rng)
        program = evading_program(program, cell.evasion, int(rng.integers(2**31)))
        chats = self.world.plain if cell.setting == "literature" else self.world.reserved
        chat = chats[int(rng.integers(len(chats)))]
        parts: list[tuple[ApiRequest, bool]] = []
        for number, (what, count) in enumerate(((program, own), (chat, cell.requests - own))):
            if count < 1:
                continue
            made = compose_account(
                what, requests=count, start_s=start_s, span_s=span_s,
                seed=[*key, PART_SEED, number], identity=who,
                items=None if number else items, pace="human" if number else pace,
                others=() if number else self._others(job.unit), filler=self.filler,
                corpus=self.corpus,
            )  # fmt: skip
            rewrite = None if number else REWRITES.get(cell.evasion)
            if rewrite is not None:
                made = rewrite(made, rng, program.lang)
            taken = number == 0 and program.label == "extraction"
            parts += [(r, taken and r.status == 200) for r in made]
        parts.sort(key=lambda part: part[0].event_time_s or 0.0)
        parts = parts[: cell.requests]
        _one_host([r for r, _ in parts], rng)
        profile = draw_profile(np.random.default_rng([*key, PROFILE_SEED]))
        requests = apply_profile(profile, [r for r, _ in parts])
        for request in requests:
            request.account = job.name
        label = int(cell.label == "extraction")
        account = Account(
            job.name, program.id, job.unit.unit, label, program.kind, job.unit.source, requests
        )
        return Judged(account, np.array([taken for _, taken in parts]))

    def _share(self, job: Job, rng: Generator) -> float:
        drawn = float(rng.uniform(0.05, 0.95)), float(rng.random())
        if job.cell.label == "extraction" or job.cell.setting == "matched":
            return job.cell.share
        if job.cell.setting == "general":
            return drawn[0] if drawn[1] < BENIGN_MIXED else 1.0
        return 1.0

    def _items(self, job: Job, program: Program, rng: Generator) -> tuple[Items | None, Program]:
        """In the matched setting the shared list, with the slot it fills drawn first."""
        if job.cell.setting != "matched":
            return None, program
        found = matchable(program)
        if found is None:
            return None, program
        number = int(rng.integers(LISTS))
        seed = crc32(f"{found[0]}/{program.lang}/{number}".encode())
        return Items(seed, domains=ALL_DOMAINS), found[1]

    def _others(self, unit: Unit) -> Sequence[Program]:
        """What a reseller's end users run: as unknown to the judging model as all the rest."""
        return [
            u.program
            for u in self.world.units
            if u.program.label == "benign" and u.fold == unit.fold and u.half == unit.half
        ]


def _one_host(requests: Sequence[ApiRequest], rng: Generator) -> None:
    """Parts of one account share its hosts, else mixing itself would show in the addresses."""
    base = int(rng.integers(10, 210))
    for request in requests:
        if request.client_ip and request.network:
            last = base + int(rng.integers(3))
            request.client_ip = request.network.removesuffix("0/24") + str(last)
