"""Extraction campaigns: one job over several accounts, with its ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.bank import Program
from streams.traffic.corpus import Corpus
from streams.traffic.grammar import ALL_DOMAINS
from streams.traffic.identity import Identity, draw_client, draw_identity, draw_network
from streams.traffic.personas import Items, SideChat, compose_account
from streams.traffic.timing import DAY_S, Pace


@dataclass(frozen=True, slots=True)
class Campaign:
    """Ground truth of one planted campaign.

    `share` is the part of its accounts' requests that are harvest (the rest is ordinary chat),
    `program` the id of the program that harvests, `family` its kind.
    """

    name: str
    family: str
    accounts: tuple[str, ...]
    share: float
    program: str


@dataclass(frozen=True, slots=True)
class Order:
    """What a campaign is to be like."""

    name: str
    program: Program
    accounts: int
    budget: tuple[int, int]
    """Least and most requests of an account, harvest and chat together."""
    share: float = 1.0
    pace: Pace | None = None
    stagger: float = 0.2
    """Accounts begin within this part of the span; 0: all at once."""
    params: dict[str, Any] | None = None
    chat: Sequence[Program] = ()
    """Programs of ordinary chat to mix in where `share` is below 1."""


def compose_campaign(
    order: Order,
    *,
    start_s: float,
    seed: int | Sequence[int],
    span_s: float = DAY_S,
    filler: Filler | None = None,
    corpus: Corpus | None = None,
) -> tuple[Campaign, list[ApiRequest]]:
    """Ground truth and requests (sorted by event time) of one campaign.

    One numbered list of items is cut into disjoint pieces over the accounts, so no item is asked
    twice; the accounts share a pool of networks and few kinds of clients. Raises ValueError when
    `share` is below 1 without chat programs.
    """
    if order.share < 1 and not order.chat:
        raise ValueError(f"campaign {order.name}: a share of {order.share} needs chat programs")
    rng = np.random.default_rng(seed)
    item_seed = int(rng.integers(2**62))
    networks = [draw_network(rng) for _ in range(max(2, order.accounts // 3))]
    identities = [_member(rng, networks, start_s) for _ in range(order.accounts)]
    requests: list[ApiRequest] = []
    first = 0
    for identity in identities:
        budget = int(rng.integers(order.budget[0], order.budget[1] + 1))
        delay_s = float(rng.random()) * order.stagger * span_s
        side = None
        if order.share < 1:
            chat = order.chat[int(rng.random() * len(order.chat))]
            side = SideChat(chat, 1 - order.share)
        made = compose_account(
            order.program,
            requests=budget,
            start_s=start_s + delay_s,
            span_s=span_s - delay_s,
            seed=int(rng.integers(2**62)),
            identity=identity,
            items=Items(item_seed, first, budget, ALL_DOMAINS),
            pace=order.pace,
            params=order.params,
            side=side,
            filler=filler,
            corpus=corpus,
        )
        # Retries come on top of what was ordered; the budget is what the log shows.
        requests += made[: order.budget[1]]
        first += budget
    requests.sort(key=lambda request: request.event_time_s or 0.0)
    accounts = tuple(identity.account for identity in identities)
    truth = Campaign(order.name, order.program.kind, accounts, order.share, order.program.id)
    return truth, requests


def _member(rng: Generator, networks: list[str], start_s: float) -> Identity:
    identity = draw_identity(rng, now_s=start_s, new=True)
    count = 1 + int(rng.random() * 2)
    picks = tuple(networks[int(rng.random() * len(networks))] for _ in range(count))
    client = draw_client(identity.provider, rng)
    return replace(identity, networks=picks, clients=(client,))
