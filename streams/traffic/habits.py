"""How one account runs its program: what differs between two accounts of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from streams.traffic.bank import Program
from streams.traffic.grammar import N_DOMAINS
from streams.traffic.timing import Pace

REPEATING_KINDS = frozenset({"evaluate", "judge", "testgen", "redteam", "monitor"})
"""Benign kinds that run the same items again for every release; a harvest sees each item once."""

MANY_USERS_KINDS = frozenset({"support", "rag", "tutor", "game", "roleplay", "reseller", "search"})


@dataclass(frozen=True, slots=True)
class Habits:
    """Drawn once an account. Shares are 0 to 1, `_s` is seconds."""

    wordings: tuple[int, ...]
    """Which of the program's wordings the account uses."""
    domains: tuple[int, ...]
    """Topic domains its items come from: few for most businesses, many for broad jobs."""
    pace: Pace
    params: dict[str, Any]
    length_scale: float
    followups: float
    """Mean number of follow-up turns of a chat."""
    think_s: float
    """Median pause of a person before the next turn."""
    error_share: float
    end_users: int
    """0: the log names no end user."""
    item_count: int
    """Number of distinct items; fewer than requests means that they are run again."""
    resample: int
    """How often in a row the same item is asked (1: once)."""
    chain: int
    """So many requests in a row take the answer before as their text (1: none does)."""
    system_in_list: bool
    refusal_share: float


def draw_habits(program: Program, rng: Generator, requests: int, provider: str) -> Habits:
    """Draws the habits of an account that runs `program` for about `requests` requests."""
    n_wordings = len(program.wordings)
    used = max(1, int(np.ceil(n_wordings * rng.random()))) if n_wordings else 0
    wordings = tuple(int(w) for w in rng.permutation(n_wordings)[:used])
    return Habits(
        wordings=wordings,
        domains=_domains(rng),
        pace=_pace(program, rng),
        params=_params(program, rng),
        length_scale=float(rng.lognormal(0, 0.35)),
        followups=float(rng.choice([0.3, 1.0, 2.0, 4.0])),
        think_s=float(np.exp(rng.uniform(np.log(12), np.log(150)))),
        error_share=float(rng.choice([0, 0.002, 0.01, 0.05], p=[0.4, 0.35, 0.17, 0.08])),
        end_users=_end_users(program, rng, requests),
        item_count=_item_count(program, rng, requests),
        resample=_resample(program, rng),
        chain=_chain(program, rng),
        system_in_list=provider == "openai",
        refusal_share=0.3 if program.kind in ("redteam", "redteach") else 0.002,
    )


def _domains(rng: Generator) -> tuple[int, ...]:
    width = int(rng.choice([1, 2, 3, 5, N_DOMAINS], p=[0.2, 0.2, 0.15, 0.1, 0.35]))
    return tuple(int(domain) for domain in rng.permutation(N_DOMAINS)[:width])


def _pace(program: Program, rng: Generator) -> Pace:
    """Mostly the program's own pacing; machines also run as other machines do."""
    own: Pace = program.pacing
    if own in ("human", "events") or rng.random() < 0.6:
        return own
    others: tuple[Pace, ...] = ("batch", "paced", "cron", "clock")
    return others[int(rng.random() * 4)]


def _params(program: Program, rng: Generator) -> dict[str, Any]:
    params = dict(program.params)
    fixed = program.kind in ("evaluate", "judge", "logit") and program.label != "extraction"
    if rng.random() < 0.25 and not fixed:
        params["temperature"] = float(rng.choice([0, 0.2, 0.3, 0.5, 0.7, 0.8, 1.0]))
    elif rng.random() < 0.25:
        params.pop("temperature", None)
    if program.kind == "evaluate" and rng.random() < 0.7:
        params["temperature"] = 0.0
    if "max_tokens" in params and rng.random() < 0.3:
        params["max_tokens"] = int(params["max_tokens"] * rng.choice([0.5, 1.5, 2, 4]))
        params["max_tokens"] = max(1, params["max_tokens"])
    elif rng.random() < 0.15 and program.kind != "logit":
        params["max_tokens"] = int(rng.choice([256, 512, 1024, 2048, 4096]))
    if rng.random() < 0.1:
        params["stream"] = not params.get("stream", False)
    return params


def _end_users(program: Program, rng: Generator, requests: int) -> int:
    if program.kind in MANY_USERS_KINDS or program.pacing == "events":
        if rng.random() < 0.15:
            return 0
        return max(2, int(requests * rng.uniform(0.1, 0.7)))
    return 1 if rng.random() < 0.12 else 0


def _item_count(program: Program, rng: Generator, requests: int) -> int:
    if program.kind == "loadtest":
        return 1 if rng.random() < 0.7 else int(rng.integers(2, 6))
    if program.kind in REPEATING_KINDS and program.label != "extraction":
        return max(3, int(requests * rng.uniform(0.12, 0.8)))
    if program.label != "extraction" and program.pacing == "cron" and rng.random() < 0.4:
        return max(3, int(requests * rng.uniform(0.3, 0.9)))
    return requests


def _resample(program: Program, rng: Generator) -> int:
    if program.kind in ("generate", "answer", "trace", "sweep", "content", "code", "evaluate"):
        return int(rng.choice([1, 2, 4], p=[0.86, 0.09, 0.05]))
    return 1


def _chain(program: Program, rng: Generator) -> int:
    """Evolving prompts, and texts that are polished in rounds, feed answers back."""
    chance = {"rewrite": 0.6, "content": 0.1}.get(program.kind, 0.0)
    return int(rng.integers(2, 5)) if rng.random() < chance else 1
