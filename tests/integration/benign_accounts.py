"""Composed benign accounts of every kind that the bank knows."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.bank import Program, load_bank
from streams.traffic.personas import compose_account
from streams.traffic.staples import staple_programs
from tests.detector.builders import T0_S

REQUESTS = 60
EVERY = 4
"""Of each benign kind every fourth program runs, and always its first."""


@cache
def benign_accounts() -> dict[str, list[ApiRequest]]:
    """One benign account a program by its name, which holds kind and program."""
    benign = [*(p for p in load_bank() if p.label == "benign"), *staple_programs()]
    kinds: dict[str, list[Program]] = defaultdict(list)
    for program in benign:
        kinds[program.kind].append(program)
    chosen = [p for kind in sorted(kinds) for p in kinds[kind][::EVERY]]
    return {
        f"{program.kind} {program.id}": compose_account(
            program,
            requests=REQUESTS,
            start_s=T0_S,
            seed=[4, number],
            others=benign,
            filler=Filler(4),
        )
        for number, program in enumerate(chosen)
    }
