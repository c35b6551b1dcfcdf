"""Programs of the bank are written one by one: a split between them is a split."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import combinations

from models.texts import bank_programs
from streams.traffic.bank import Program

WORDS = 8
MOST = 0.1
"""No two programs share more than this part of the shorter one's runs of eight words."""


def runs_of(program: Program) -> set[str]:
    """Runs of eight words in a program's frames, slots left out."""
    words = re.findall(r"\w+", re.sub(r"\{\w*\}", " ", " ".join(program.templates)).lower())
    return {" ".join(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)}


def test_no_two_programs_share_their_wording() -> None:
    """No two programs overlap by more than a tenth in runs of eight words."""
    runs = {p.id: runs_of(p) for p, _ in bank_programs()}
    holders: dict[str, list[str]] = defaultdict(list)
    for name, mine in runs.items():
        for run in mine:
            holders[run].append(name)
    shared = Counter(pair for names in holders.values() for pair in combinations(names, 2))
    alike = {
        (a, b): n for (a, b), n in shared.items() if n > MOST * min(len(runs[a]), len(runs[b]))
    }
    assert alike == {}
    assert sum(map(bool, runs.values())) > 500
