"""Groups of accounts merged into one stream in order of event time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.record import ApiRequest
from streams.traffic.actor import Actor
from streams.traffic.answers import Filler
from streams.traffic.corpus import Corpus


class Accounts(Protocol):
    """A group or a population: accounts that can be composed one by one."""

    @property
    def name(self) -> str:
        """Unique in a stream."""
        ...

    @property
    def opens_s(self) -> NDArray[np.float64]:
        """Shape (actors,), epoch seconds: no request of an actor is earlier."""
        ...

    def actor(self, number: int) -> Actor:
        """Composes one; the same at every call."""
        ...


class _Open(NamedTuple):
    at_s: float
    order: int
    group: int
    request: ApiRequest
    rest: Iterator[ApiRequest]


def stream(
    groups: Sequence[Accounts], filler: Filler, corpus: Corpus | None = None
) -> Iterator[tuple[int, ApiRequest]]:
    """(number of the group, request) in order of event time.

    An account is composed from when it opens to when it is done, a conversation at a time: memory
    grows with the accounts that are active at once, not with the requests.
    """
    if not groups:
        return
    opens = np.concatenate([group.opens_s for group in groups])
    of = np.repeat(np.arange(len(groups)), [len(group.opens_s) for group in groups])
    first = np.cumsum([0] + [len(group.opens_s) for group in groups])
    order = np.argsort(opens, kind="stable")
    running: list[_Open] = []
    for place in order.tolist():
        yield from _until(running, float(opens[place]))
        group = int(of[place])
        actor = groups[group].actor(place - int(first[group]))
        _push(running, place, group, actor.requests(filler, corpus))
    yield from _until(running, float("inf"))


def _until(running: list[_Open], end_s: float) -> Iterator[tuple[int, ApiRequest]]:
    while running and running[0].at_s < end_s:
        found = heapq.heappop(running)
        yield found.group, found.request
        _push(running, found.order, found.group, found.rest)


def _push(running: list[_Open], order: int, group: int, rest: Iterator[ApiRequest]) -> None:
    request = next(rest, None)
    if request is not None:
        # two requests of one time are told apart by the account's place: no request is compared
        heapq.heappush(running, _Open(request.event_time_s or 0.0, order, group, request, rest))
