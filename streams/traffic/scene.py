"""What an innocent crowd is drawn from: programs, hours, networks, a tool's client, item lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from streams.traffic.bank import Program
from streams.traffic.day import VARIED_SOURCES
from streams.traffic.identity import MODELS, draw_client, draw_network
from streams.traffic.lists import ItemList, draw_list
from streams.traffic.timing import DAY_S


@dataclass(frozen=True, slots=True)
class Scene:
    """What the crowds of one draw have at hand. Times are epoch seconds."""

    programs: tuple[Program, ...]
    start_s: float
    span_s: float
    rng: Generator

    def pick(self, *kinds: str) -> Program:
        """A benign program of the kinds, one whose items do not soon repeat where there is one."""
        benign = [p for p in self.programs if p.label == "benign"]
        of_kind = [p for p in benign if p.kind in kinds] or benign
        varied = [p for p in of_kind if not VARIED_SOURCES.isdisjoint(_sources(p))] or of_kind
        return varied[int(self.rng.random() * len(varied))]

    def some(self, count: int, *kinds: str) -> tuple[Program, ...]:
        """Up to `count` different programs of the kinds."""
        found = {p.id: p for p in (self.pick(*kinds) for _ in range(count))}
        return tuple(found.values())

    def size(self, low: int, high: int) -> int:
        """Accounts of a crowd, log-uniform."""
        return round(float(np.exp(self.rng.uniform(np.log(low), np.log(high)))))

    def hours(self, low_h: float, high_h: float) -> tuple[float, float]:
        """A window of so many hours somewhere in the span."""
        length_s = min(float(self.rng.uniform(low_h, high_h)) * 3600, self.span_s)
        begin_s = self.start_s + float(self.rng.random()) * (self.span_s - length_s)
        return begin_s, begin_s + length_s

    @property
    def day(self) -> tuple[float, float]:
        """The whole span."""
        return self.start_s, self.start_s + self.span_s

    def fresh(self, days: float) -> tuple[float, float]:
        """When accounts were made that are at most so many days old."""
        return self.start_s - days * DAY_S, self.start_s

    def networks(self, count: int) -> tuple[str, ...]:
        """Networks that a crowd shares."""
        return tuple(draw_network(self.rng) for _ in range(count))

    def one_service(self) -> dict[str, Any]:
        """Provider, model and client that a tool or a starter kit brings along."""
        provider = "openai" if self.rng.random() < 0.65 else "anthropic"
        models = MODELS[provider]
        return {
            "provider": provider,
            "model": str(models[int(self.rng.integers(len(models)))]),
            "client": draw_client(provider, self.rng),
        }

    def own(self) -> ItemList:
        """No common list."""
        return draw_list(self.rng, "own", accounts=1, each=1)

    def same(self, length: int) -> ItemList:
        """A list that all run."""
        return draw_list(self.rng, "same", accounts=1, each=1, length=length)


def _sources(program: Program) -> set[str]:
    return {origin for origin in program.slots.values() if isinstance(origin, str)}
