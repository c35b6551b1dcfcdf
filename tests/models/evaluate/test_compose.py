"""Accounts of the plan: as long as asked, shares as asked, the same items on both sides."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from models.evaluate.compose import Composition, Job, jobs_of
from models.evaluate.matching import matched_units
from models.evaluate.plan import Cell, Evasion, GroupLabel, cells, load_plan
from models.evaluate.units import read_world
from streams.traffic.answers import Filler

WORLD = read_world(None, folds=2, hold_out="kind", every=12)
EVASIONS: tuple[Evasion, ...] = (
    "none", "paced", "paraphrased", "rotated", "padded", "split_system", "translated", "backoff",
    "mixed_paced",
)  # fmt: skip


def composition() -> Composition:
    """Composes without a data folder."""
    return Composition(WORLD, 1, None, Filler(1))


def cell(share: float = 1.0, evasion: Evasion = "none", label: GroupLabel = "extraction") -> Cell:
    """A small cell of the general setting."""
    return Cell("general", label, 40, (20, 40), share, evasion, 6)


@pytest.mark.parametrize("evasion", EVASIONS)
def test_accounts_are_as_ordered(evasion: Evasion) -> None:
    """Exactly the requests asked for, sorted by time, of one account, the same at every call."""
    for job in jobs_of(cell(evasion=evasion), WORLD, 1):
        one, again = composition().compose(job), composition().compose(job)
        assert one.account.requests == again.account.requests
        assert len(one.account.requests) == len(one.harvest) == 40
        times = [r.event_time_s or 0.0 for r in one.account.requests]
        assert all(a <= b for a, b in pairwise(times))
        assert {r.account for r in one.account.requests} == {job.name}


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_share_is_what_is_harvested(share: float) -> None:
    """About so many requests are harvest, and none of a benign account is."""
    for job in jobs_of(cell(share), WORLD, 1):
        taken = composition().compose(job).harvest.mean()
        assert abs(taken - share) <= 0.15
    for job in jobs_of(cell(label="benign"), WORLD, 1):
        assert not composition().compose(job).harvest.any()


def test_an_evasion_changes_what_is_seen() -> None:
    """Split prompts have no system prompt, rotated parameters vary, padded prompts are longer."""
    work = composition()

    def sent(evasion: Evasion) -> list[list[str]]:
        jobs = [Job(cell(evasion=evasion), u, 0, 2) for u in WORLD.units if u.program.system][:4]
        made = [work.compose(j).account.requests for j in jobs]
        return [[m.role for r in requests for m in r.messages or ()] for requests in made]

    assert any("system" in roles for roles in sent("none"))
    assert not any("system" in roles for roles in sent("split_system"))
    jobs = jobs_of(cell(evasion="rotated"), WORLD, 1)
    known = [{r.temperature for r in work.compose(j).account.requests} for j in jobs]
    assert max(len(values) for values in known) >= 4


def test_matched_sides_draw_the_same_items() -> None:
    """Attack and benign accounts of one source and language send some of the very same texts."""
    pools = matched_units(WORLD.units)
    assert pools
    one = Cell("matched", "extraction", 60, (60,), 1.0, "none", 40)
    other = Cell("matched", "benign", 60, (60,), 1.0, "none", 40)
    units = pools.get(("math_problem", "en")) or next(iter(pools.values()))
    work = composition()

    def items(where: Cell, label: str) -> set[str]:
        jobs = [Job(where, u, c, 2) for u in units for c in range(8) if u.program.label == label]
        words: set[str] = set()
        for job in jobs:
            for request in work.compose(job).account.requests:
                for message in request.messages or ():
                    words |= {line.strip() for line in message.text.split("\n")}
        return {w for w in words if len(w) > 30}

    assert items(one, "extraction") & items(other, "benign")


def test_the_literature_has_one_data_set() -> None:
    """Benign accounts and what an attack is mixed into are the same chats, dealt out to every
    fold; the attack's own prompts are not of their source."""
    plain = {p.id for p in WORLD.plain}
    benign = jobs_of(Cell("literature", "benign", 100, (100,), 1.0, "none", 60), WORLD, 1)
    assert {j.unit.program.id for j in benign} == plain
    assert {j.fold for j in benign} == {0, 1}
    assert {j.half for j in benign} == {0, 1}
    attack = jobs_of(Cell("literature", "extraction", 100, (100,), 0.5, "none", 60), WORLD, 1)
    assert all("chat_message" not in j.unit.program.slots.values() for j in attack)


def test_the_curve_sends_the_same_accounts() -> None:
    """Whatever part of the bank a model is trained on, it judges the same requests."""
    unit = WORLD.units[0]
    whole = Cell("templates_bank_only", "benign", 30, (30,), 1.0, "none", 1)
    part = replace(whole, bank_part=0.25)
    jobs = [Job(c, unit, 0, 2) for c in (whole, part)]
    assert jobs[0].fold != jobs[1].fold
    assert jobs[0].name != jobs[1].name
    one, other = (composition().compose(j).account.requests for j in jobs)
    assert [r.messages for r in one] == [r.messages for r in other]
    assert [r.event_time_s for r in one] == [r.event_time_s for r in other]


def test_a_resellers_users_run_what_the_model_never_saw() -> None:
    """A reseller's account is the same in a world that has only programs of its own fold and half:
    its end users run no other."""
    world = read_world(None, folds=2, hold_out="kind", every=3)
    units = [u for u in world.units if u.program.kind == "reseller"]
    assert units
    for unit in units[:3]:
        own = tuple(u for u in world.units if (u.fold, u.half) == (unit.fold, unit.half))
        job = Job(cell(label="benign"), unit, 0, 2)
        made = [
            Composition(w, 1, None, Filler(1)).compose(job).account.requests
            for w in (world, replace(world, units=own))
        ]
        assert made[0] == made[1]


def test_the_committed_plan_keeps_to_its_cap() -> None:
    """At most eight million requests, at least 30,000 benign accounts, every share and size of the
    grid, every evasion; a smaller scale has the same cells."""
    plan = load_plan()
    whole = cells(plan, 1.0)
    assert sum(c.requests * c.accounts for c in whole) <= 8_000_000
    assert sum(c.accounts for c in whole if c.label == "benign" and c.bank_part == 1) >= 30_000
    grid = {
        (c.share, c.requests) for c in whole if c.setting == "general" and c.label == "extraction"
    }
    shares, sizes = (0.05, 0.1, 0.25, 0.5, 1.0), (25, 100, 667, 1152)
    assert {(s, n) for s in shares for n in sizes} <= grid
    assert {c.evasion for c in whole} == set(EVASIONS)
    assert [c.name for c in cells(plan, 0.01)] == [c.name for c in whole]
