"""A world: one provider's day of strangers, some crowds and some campaigns, from their traces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge

import numpy as np
from numpy.typing import NDArray

from detector.links.sighting import Sighting
from models.campaigns.draw import Part
from models.campaigns.watch import StoredSightings, Trace


@dataclass(frozen=True, slots=True)
class World:
    """Parts with their traces; accounts and requests of all of them in one numbering.

    Attributes:
        names: shape (a,). part: int64, shape (a,): index into `parts` of each account.
        account: int64, shape (n,): of each request. prompt, frame, network, model: see `Trace`.
        throttled_s: float64, shape (a,): of the account's own verdict.
    """

    parts: tuple[Part, ...]
    names: NDArray[np.str_]
    part: NDArray[np.int64]
    account: NDArray[np.int64]
    at_s: NDArray[np.float64]
    prompt: NDArray[np.uint64]
    frame: NDArray[np.uint64]
    network: NDArray[np.uint64]
    model: NDArray[np.uint64]
    throttled_s: NDArray[np.float64]
    features: NDArray[np.float32]
    sightings: tuple[Sequence[Sighting] | StoredSightings, ...]

    def in_order(self) -> Iterator[Sighting]:
        """All sightings by event time, those of one time in the order of the parts."""
        return merge(*self.sightings, key=lambda sighting: sighting.at_s)

    def members(self, part: int) -> NDArray[np.int64]:
        """Numbers of a part's accounts."""
        return np.flatnonzero(self.part == part)

    def exchanges(self, part: int) -> NDArray[np.float64]:
        """Times of the part's answered requests, sorted."""
        return np.sort(self.at_s[self.part[self.account] == part])


def make_world(parts: Sequence[Part], traces: Sequence[Trace]) -> World:
    """The parts side by side."""
    sizes = [len(t.names) for t in traces]
    first = np.cumsum([0, *sizes[:-1]])

    def joined(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(t, name) for t in traces])

    return World(
        parts=tuple(parts),
        names=joined("names"),  # type: ignore[arg-type]
        part=np.repeat(np.arange(len(parts)), sizes),
        account=np.concatenate(
            [t.account.astype(np.int64) + at for t, at in zip(traces, first, strict=True)]
        ),
        at_s=joined("at_s"),  # type: ignore[arg-type]
        prompt=joined("prompt"),  # type: ignore[arg-type]
        frame=joined("frame"),  # type: ignore[arg-type]
        network=joined("network"),  # type: ignore[arg-type]
        model=joined("model"),  # type: ignore[arg-type]
        throttled_s=joined("throttled_s"),  # type: ignore[arg-type]
        features=joined("features"),  # type: ignore[arg-type]
        sightings=tuple(t.sightings for t in traces),
    )
