"""Small campaigns, crowds and strangers for tests."""

from __future__ import annotations

from collections.abc import Sequence

from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.bank import Program, load_bank
from streams.traffic.crowds import draw_crowd
from streams.traffic.group import Group
from streams.traffic.operations import Evasion, Operation, draw_operation, harvests
from streams.traffic.population import Population, make_population
from streams.traffic.stream import stream

START_S = 1_780_012_800.0


def benign_programs() -> list[Program]:
    """Programs of ordinary customers."""
    return [p for p in load_bank() if p.label == "benign"]


def operation(
    evasion: Evasion = "none", *, seed: int = 1, accounts: int = 40, each: int = 25
) -> Operation:
    """A campaign with a program and a style of its seed."""
    programs = harvests(load_bank())
    return draw_operation(
        f"campaign {seed}", programs[seed * 37 % len(programs)],
        [p for p in benign_programs() if p.kind == "chat"],
        accounts=accounts, each=each, evasion=evasion, start_s=START_S, seed=(seed, 1),
    )  # fmt: skip


def crowd(kind: str, *, seed: int = 1, most: int = 40) -> Group:
    """A crowd of a kind."""
    return draw_crowd(
        f"{kind} {seed}", kind, benign_programs(), start_s=START_S, seed=(seed, 2), most=most
    )


def strangers(accounts: int, *, seed: int = 1) -> Population:
    """Ordinary customers."""
    return make_population(accounts, benign_programs(), (seed, 3), start_s=START_S)


def requests_of(*groups: Group | Population) -> list[ApiRequest]:
    """All requests of the groups, as the stream gives them."""
    return [request for _, request in stream(groups, Filler(1))]


def answered(requests: Sequence[ApiRequest]) -> list[ApiRequest]:
    """Requests answered 200."""
    return [r for r in requests if r.status == 200]
