"""What is split: programs with the fold that judges them and the half they calibrate or test.

A unit (a program of the bank, an origin of public templates, a captured tool) is never on both
sides of a split. With `hold_out = "kind"` a fold is a set of whole attack families and benign
workloads, so that the model that judges an account never saw its kind at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from zlib import crc32

from models.public_templates import read_templates
from streams.traffic.bank import Program, load_bank
from streams.traffic.day import ordinary_chat
from streams.traffic.staples import neutral_programs, staple_programs

CALIBRATION, TEST = 0, 1
BANK_PARTS: Mapping[int, float] = MappingProxyType({-1: 1.0, -2: 0.5, -3: 0.25, -4: 0.125})
"""Fold -> the part of the bank that its model is trained on, and on nothing else. Each part holds
the smaller ones: the learning curve over the size of the bank."""

PLAIN_SOURCES = frozenset({"chat_message", "question"})

ORIGIN_FOLDS = 100
"""From here on folds hold out origins of public templates, and nothing else."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A program and where it belongs.

    Attributes:
        unit: what must stay on one side of a split, as `models.workshop` names it.
        source: "bank" or "templates".
        fold: the fold whose model judges it.
        half: CALIBRATION or TEST; thresholds come from benign accounts of the first alone.
    """

    program: Program
    unit: str
    source: str
    fold: int
    half: int

    @property
    def family(self) -> str:
        """Label and kind: an attack family or a benign workload."""
        return f"{self.program.label}/{self.program.kind}"


@dataclass(frozen=True, slots=True)
class World:
    """All units, and the chat programs that accounts mix in.

    Attributes:
        reserved: chat programs that no fold's training sees.
        folds: number of folds.
    """

    units: tuple[Unit, ...]
    reserved: tuple[Program, ...]
    folds: int

    @property
    def plain(self) -> tuple[Program, ...]:
        """Reserved chats that open with what people wrote and nothing else, of one language: the
        literature's data set."""
        found = [p for p in self.reserved if _is_plain(p)] or list(self.reserved)
        langs = Counter(p.lang for p in found)
        common = max(sorted(langs), key=lambda lang: (lang == "en", langs[lang]))
        return tuple(p for p in found if p.lang == common)


def shipped_programs() -> tuple[Program, ...]:
    """Programs of the bank and the staples: those of `models.texts.bank_programs`, which training
    reads; named here anew so that composed traffic does not depend on the code of training."""
    return (*load_bank(), *staple_programs(), *neutral_programs())


def read_world(
    data: Path | None, *, folds: int, hold_out: Literal["kind", "program"], every: int = 1
) -> World:
    """Programs of the bank and of `data`/templates; `every` takes each so-manieth of a family."""
    found = [(p, f"program {p.id}", "bank") for p in shipped_programs()]
    if data is not None:
        found += [(p, f"origin {origin}", "templates") for p, origin in read_templates(data)]
    if every > 1:
        found = _thinned(found, every)
    fold = _folds([p for p, _, _ in found], folds) if hold_out == "kind" else {}
    chats = ordinary_chat([p for p, _, source in found if source == "bank"])
    medium = {p.id for p in chats}

    def fold_of(program: Program, unit: str) -> int:
        by_name = crc32(unit.encode()) % folds
        return by_name if program.id in medium else fold.get(_family(program), by_name)

    units = tuple(Unit(p, u, source, fold_of(p, u), _half(u)) for p, u, source in found)
    reserved = [p for p in chats if crc32(p.id.encode()) % 3 == 0] or chats[:1]
    return World(units, tuple(reserved), folds)


def held_out(world: World, fold: int, tools: Sequence[str]) -> frozenset[str]:
    """Units that the training for a fold must not see; `tools` are the captured tools."""
    out = {f"program {p.id}" for p in world.reserved}
    if fold >= ORIGIN_FOLDS:
        templates = [u.unit for u in world.units if u.source == "templates"]
        return frozenset(u for u in templates if origin_fold(u, world.folds) == fold)
    if fold in BANK_PARTS:
        part = BANK_PARTS[fold]
        out |= {u.unit for u in world.units if u.source != "bank" or _place(u.unit) >= part}
        return frozenset(out | {f"tool {t}" for t in tools})
    out |= {u.unit for u in world.units if u.fold == fold}
    return frozenset(out | {f"tool {t}" for t in tools if tool_fold(t, world.folds) == fold})


def thinned_away(world: World, data: Path | None) -> frozenset[str]:
    """Units that a thinned world does not have: a training on it must not have them either."""
    every = {f"program {p.id}" for p in shipped_programs()}
    if data is not None:
        every |= {f"origin {origin}" for _, origin in read_templates(data)}
    return frozenset(every - {u.unit for u in world.units})


def origin_fold(unit: str, folds: int) -> int:
    """The fold that holds out an origin."""
    return ORIGIN_FOLDS + crc32(f"origin fold {unit}".encode()) % folds


def tool_fold(tool: str, folds: int) -> int:
    """The fold whose model judges a captured tool."""
    return crc32(tool.encode()) % folds


def bank_fold(part: float) -> int:
    """The fold whose model is trained on that part of the bank."""
    return next(fold for fold, of in BANK_PARTS.items() if of == part)


def _place(unit: str) -> float:
    """Where a unit of the bank stands in the order in which the bank grows, in [0, 1)."""
    return crc32(f"bank part {unit}".encode()) % 1000 / 1000


def _is_plain(program: Program) -> bool:
    openings = program.wordings or program.turns[:1]
    sources = {f"{{{slot}}}" for slot, origin in program.slots.items() if origin in PLAIN_SOURCES}
    return program.system is None and all(frame in sources for frame in openings)


def _family(program: Program) -> str:
    return f"{program.label}/{program.kind}"


def _half(unit: str) -> int:
    return crc32(f"half {unit}".encode()) % 2


def _folds(programs: Sequence[Program], folds: int) -> dict[str, int]:
    """Family -> fold: the largest first, each to the fold that has fewest of its label."""
    sizes = Counter(_family(p) for p in programs)
    load: Counter[tuple[str, int]] = Counter()
    out: dict[str, int] = {}
    for family, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        label = family.partition("/")[0]
        best = min(range(folds), key=lambda f: (load[label, f], f))
        out[family] = best
        load[label, best] += size
    return out


def _thinned(found: list[tuple[Program, str, str]], every: int) -> list[tuple[Program, str, str]]:
    seen: Counter[str] = Counter()
    out = []
    for program, unit, source in found:
        family = _family(program)
        if seen[family] % every == 0:
            out.append((program, unit, source))
        seen[family] += 1
    return out
