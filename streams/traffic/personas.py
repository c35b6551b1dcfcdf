"""Accounts: one customer running one program (or, for a reseller, many) for some time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.assembly import Placed, records_of
from streams.traffic.bank import Program
from streams.traffic.corpus import Corpus
from streams.traffic.habits import Habits, draw_habits
from streams.traffic.identity import Identity, draw_identity
from streams.traffic.threads import Composer, Exchange
from streams.traffic.timing import DAY_S, Pace, conversation_starts

WIDE_KINDS = frozenset({"reseller", "judge", "evaluate", "testgen"})
DEFAULT_FILLER_SEED = 20_260_301


@dataclass(frozen=True, slots=True)
class Items:
    """Which items of a numbered list an account runs: from `first`, `count` of them, then again."""

    seed: int
    first: int = 0
    count: int | None = None
    """None: as many as the account's habits say."""
    domains: tuple[int, ...] | None = None
    """Topic domains of the list; None: as the account's habits say."""


@dataclass(frozen=True, slots=True)
class SideChat:
    """Ordinary chat that an account mixes in: `share` of its requests."""

    program: Program
    share: float
    pace: Pace | None = "human"


def compose_account(
    program: Program,
    *,
    requests: int,
    start_s: float,
    seed: int | Sequence[int],
    account: str | None = None,
    span_s: float = DAY_S,
    identity: Identity | None = None,
    items: Items | None = None,
    pace: Pace | None = None,
    params: dict[str, Any] | None = None,
    side: SideChat | None = None,
    others: Sequence[Program] = (),
    filler: Filler | None = None,
    corpus: Corpus | None = None,
) -> list[ApiRequest]:
    """The requests of one account, sorted by event time; exactly `requests` of them answered.

    Failed attempts (429, 5xx) that were retried come on top. `others` are the programs that a
    reseller's end users run. `params` and `pace` replace what the habits would draw. The same
    arguments give the same requests. Raises ValueError when `requests` is below 1.
    """
    if requests < 1:
        raise ValueError(f"an account needs at least one request, got {requests}")
    rng = np.random.default_rng(seed)
    who = identity or draw_identity(
        rng,
        now_s=start_s,
        account=account,
        wide=program.kind in WIDE_KINDS and rng.random() < 0.4,
        new=rng.random() < (0.45 if program.label == "extraction" else 0.25),
    )
    filler = filler or Filler(DEFAULT_FILLER_SEED)
    side_requests = min(round(requests * side.share), requests - 1) if side is not None else 0
    exchanges: list[Placed] = []
    if program.kind == "reseller" and others:
        exchanges += _reseller(program, who, rng, requests, start_s, span_s, others, filler, corpus)
    else:
        exchanges += _run(
            program, who, rng, requests - side_requests, start_s, span_s, filler, corpus,
            items=items, pace=pace, params=params,
        )  # fmt: skip
    if side is not None and side_requests:
        exchanges += _run(
            side.program, who, rng, side_requests, start_s, span_s, filler, corpus, pace=side.pace
        )
    exchanges.sort(key=lambda placed: placed.at_s)
    return records_of(exchanges, who, rng)


def _run(
    program: Program,
    who: Identity,
    rng: Generator,
    requests: int,
    start_s: float,
    span_s: float,
    filler: Filler,
    corpus: Corpus | None,
    *,
    items: Items | None = None,
    pace: Pace | None = None,
    params: dict[str, Any] | None = None,
    end_user: str | None = None,
) -> list[Placed]:
    habits = draw_habits(program, rng, requests, who.provider)
    if params:
        habits.params.update(params)
    if items is not None and items.domains is not None:
        habits = replace(habits, domains=items.domains)
    items = items or Items(int(rng.integers(2**62)), int(rng.integers(0, 5000)))
    composer = Composer(program, habits, rng, items.seed, filler, who.tokens_per_s, corpus)
    item_count = items.count or habits.item_count
    threads: list[list[Exchange]] = []
    left, number = requests, 0
    while left > 0:
        item = items.first + (number // habits.resample) % item_count
        follows = number % habits.chain != 0
        thread = composer.thread(item, left, threads[-1][-1].output if follows else None)
        threads.append(thread)
        left -= len(thread)
        number += 1
    durations = np.array([sum(e.pause_s + e.latency_s for e in thread) for thread in threads])
    starts = conversation_starts(
        pace or habits.pace,
        rng,
        durations,
        start_s=start_s,
        span_s=span_s,
        time_zone_h=who.time_zone_h,
    )
    users = _end_users(habits, rng) if end_user is None else [end_user]
    placed: list[Placed] = []
    for thread, start in zip(threads, starts.tolist(), strict=True):
        user = users[int(len(users) * rng.random() ** 2)] if users else None
        client = int(rng.random() * len(who.clients))
        at = start
        for step, exchange in enumerate(thread):
            at += exchange.pause_s
            placed.append(Placed(at, exchange, habits, user, client, step == 0))
            at += exchange.latency_s
    return placed


def _end_users(habits: Habits, rng: Generator) -> list[str]:
    return [f"u{rng.bytes(5).hex()}" for _ in range(habits.end_users)]


def _reseller(
    program: Program,
    who: Identity,
    rng: Generator,
    requests: int,
    start_s: float,
    span_s: float,
    others: Sequence[Program],
    filler: Filler,
    corpus: Corpus | None,
) -> list[Placed]:
    """Many end users behind one account, each running something of their own."""
    placed: list[Placed] = []
    left = requests
    while left > 0:
        size = min(left, max(3, requests // 8), 1 + int(rng.pareto(1.1) * 3))
        own = program if rng.random() < 0.2 else others[int(rng.random() * len(others))]
        user = f"u{rng.bytes(5).hex()}"
        placed += _run(own, who, rng, size, start_s, span_s, filler, corpus, end_user=user)
        left -= size
    return placed
