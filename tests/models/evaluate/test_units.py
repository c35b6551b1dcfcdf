"""What a fold judges, its training never saw; calibration and test share no program."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from models.evaluate.fold_models import Folders, tool_models, unseen
from models.evaluate.units import (
    BANK_PARTS,
    bank_fold,
    held_out,
    read_world,
    shipped_programs,
    thinned_away,
)
from models.texts import bank_programs
from models.workshop import gather
from streams.traffic.bank import Program

WORLD = read_world(None, folds=5, hold_out="kind")


def test_whole_families_are_held_out() -> None:
    """Every program of a family is judged by one fold, ordinary chat aside, and every fold judges
    both labels."""
    folds: dict[str, set[int]] = defaultdict(set)
    labels: dict[int, set[str]] = defaultdict(set)
    for unit in WORLD.units:
        folds[unit.family].add(unit.fold)
        labels[unit.fold].add(unit.program.label)
    assert {family for family, some in folds.items() if len(some) > 1} == {"benign/chat"}
    assert set(labels) == set(range(5))
    assert all({"benign", "extraction"} <= some for some in labels.values())


def test_held_out_covers_what_is_judged() -> None:
    """A fold's units, its tools and the reserved chats are all held out, other tools are not."""
    tools = [f"t{i}" for i in range(20)]
    left: set[str] = set()
    for fold in range(5):
        out = held_out(WORLD, fold, tools)
        assert {u.unit for u in WORLD.units if u.fold == fold} <= out
        assert {f"program {p.id}" for p in WORLD.reserved} <= out
        left |= {u for u in out if u.startswith("tool ")}
    assert left == {f"tool {t}" for t in tools}
    assert {f"tool {t}" for t in tools} <= held_out(WORLD, -1, tools)


def test_parts_of_the_bank_grow() -> None:
    """Each part of the learning curve holds the smaller one, is about as large as it says, and no
    part trains on the reserved chats or on a tool."""
    bank = {u.unit for u in WORLD.units if u.source == "bank"}
    before: set[str] = set()
    for part in sorted(BANK_PARTS.values()):
        out = held_out(WORLD, bank_fold(part), ["t"])
        assert {"tool t", *(f"program {p.id}" for p in WORLD.reserved)} <= out
        kept = bank - out
        assert before <= kept
        assert abs(len(kept) / len(bank) - part) < 0.05
        before = kept


def test_the_plain_chats_are_of_reserved_ones() -> None:
    """The data set of the literature is of programs no training sees, with no frame around it, and
    of one language."""
    assert {p.id for p in WORLD.plain} <= {p.id for p in WORLD.reserved}
    assert all(p.system is None for p in WORLD.plain)
    assert len({p.lang for p in WORLD.plain}) == 1


def test_the_world_is_what_training_reads() -> None:
    """Programs of the world and of the workshop are the same."""
    assert [p for p, _ in bank_programs()] == list(shipped_programs())


def test_halves_share_no_unit() -> None:
    """All programs of a unit are in one half, and both halves are used."""
    halves: dict[str, set[int]] = defaultdict(set)
    for unit in WORLD.units:
        halves[unit.unit].add(unit.half)
    assert all(len(some) == 1 for some in halves.values())
    assert {half for some in halves.values() for half in some} == {0, 1}


@pytest.mark.slow
def test_training_material_has_no_trace_of_what_is_left_out() -> None:
    """Neither accounts nor bags nor side chats hold a text of a program that is left out."""
    thin = read_world(None, folds=2, hold_out="kind", every=40)
    without = held_out(thin, 0, []) | thinned_away(thin, None)
    material = gather(None, None, 1, lambda text: None, thin=True, without=without)
    assert not without & {*material.account_unit.tolist(), *material.bag_unit.tolist()}
    kept = "\n".join(_literals(u.program) for u in thin.units if u.unit not in without)
    fixed = {
        line
        for p, _ in bank_programs()
        if f"program {p.id}" in without
        for line in _literals(p).split("\n")
        if len(line) > 40 and line not in kept
    }
    sent = "\n".join(
        text
        for a in material.accounts
        for r in a.requests
        for text in (r.system or "", *(m.text for m in r.messages or ()))
    )
    assert len(fixed) > 100
    assert not {line for line in fixed if line in sent}


def _literals(program: Program) -> str:
    """The texts of a program that no slot changes, a line each."""
    frames = (program.system or "", *program.wordings, *program.turns)
    parts = (p for frame in frames for p in re.split(r"\{\w+\}|\n", frame))
    return "\n".join(p.replace("{{", "{").replace("}}", "}").strip() for p in parts)


def test_tools_are_held_out_alone(tmp_path: Path) -> None:
    """Every captured tool is judged by one model, whose training lacks that fold of tools and
    nothing else."""
    for stem in ("A_one_x", "A_two_x", "B_three_x", "B_four_x", "B_five_x", "C_six_x"):
        (tmp_path / f"{stem}.jsonl.gz").touch()
    folders = Folders(None, None, tmp_path, tmp_path / "cache")
    left = [unseen(WORLD, folders, model) for model in tool_models(WORLD, tmp_path)]
    assert sorted(unit for out in left for unit in out) == [
        "tool five", "tool four", "tool one", "tool three", "tool two"
    ]  # fmt: skip
    assert tool_models(WORLD, None) == []
