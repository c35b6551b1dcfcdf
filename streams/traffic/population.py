"""Ordinary customers who have nothing to do with each other, as one large group of strangers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.traffic.actor import Actor, Strand
from streams.traffic.bank import Program
from streams.traffic.day import KIND_WEIGHTS, ordinary_chat
from streams.traffic.frames import own_version
from streams.traffic.group import COPIED, whole_ms
from streams.traffic.identity import draw_identity
from streams.traffic.personas import WIDE_KINDS
from streams.traffic.timing import DAY_S

MEDIAN_REQUESTS, SIGMA_REQUESTS, MOST_REQUESTS = 14.0, 0.9, 200
MIXED = 0.2


@dataclass(frozen=True, slots=True)
class Population:
    """Strangers; a group as `Group` is, for `stream`.

    Attributes:
        programs: benign ones to draw from, by kind. opens_s: float64, shape (accounts,).
    """

    name: str
    programs: tuple[Program, ...]
    weights: NDArray[np.float64]
    chats: tuple[Program, ...]
    seed: tuple[int, ...]
    opens_s: NDArray[np.float64]
    end_s: float

    def actor(self, number: int) -> Actor:
        """One customer."""
        rng = np.random.default_rng([*self.seed, 1, number])
        at = int(np.searchsorted(self.weights, rng.random()))
        program = self.programs[min(at, len(self.programs) - 1)]
        start_s = float(self.opens_s[number])
        who = draw_identity(
            rng, now_s=start_s, new=bool(rng.random() < 0.25),
            wide=program.kind in WIDE_KINDS and bool(rng.random() < 0.3),
        )  # fmt: skip
        requests = int(
            np.clip(rng.lognormal(np.log(MEDIAN_REQUESTS), SIGMA_REQUESTS), 1, MOST_REQUESTS)
        )
        if rng.random() >= COPIED:
            program = own_version(program, rng)
        chat = 0
        if rng.random() < MIXED and self.chats:
            chat = int(requests * float(rng.uniform(0.05, 0.6)))
        window_s = (start_s, max(self.end_s, start_s + 3600.0))
        strands = [Strand(program, requests - chat, window_s)]
        if chat:
            side = self.chats[int(rng.random() * len(self.chats))]
            if rng.random() >= COPIED:
                side = own_version(side, rng)
            strands.append(Strand(side, chat, window_s))
        return Actor((who,), tuple(strands), (*self.seed, 2, number))


def make_population(
    accounts: int,
    programs: Sequence[Program],
    seed: tuple[int, ...],
    *,
    start_s: float,
    span_s: float = DAY_S,
    name: str = "strangers",
) -> Population:
    """Strangers who are active at some time of [start_s, start_s + span_s)."""
    rng = np.random.default_rng(seed)
    benign = tuple(p for p in programs if p.label == "benign")
    kinds = [p.kind for p in benign]
    weight = np.array([KIND_WEIGHTS.get(kind, 1.0) / kinds.count(kind) for kind in kinds])
    return Population(
        name, benign, np.cumsum(weight / weight.sum()), tuple(ordinary_chat(benign)), seed,
        whole_ms(start_s + rng.random(accounts) * span_s * 0.85), start_s + span_s,
    )  # fmt: skip
