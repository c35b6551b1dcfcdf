"""How one numbered list of items is dealt out over the accounts of a group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from numpy.random import Generator

Cut = Literal["own", "same", "range", "stride", "sampled"]
"""own: every account has a list of its own; same: all run one list; range, stride, sampled: one
list is cut into disjoint parts, by blocks, by turns, or by a permutation of all of it."""

DISJOINT = frozenset({"range", "stride", "sampled"})


@dataclass(frozen=True, slots=True)
class ItemList:
    """Which items the accounts of a group ask.

    Attributes:
        cut: how the list is dealt out.
        seed: of the list: the same seed and number give the same item everywhere.
        accounts: number of accounts that share it.
        each: most items an account asks; a cut list is `accounts` × `each` items long.
        length: of a list that all run.
        factor, offset: of the permutation of a sampled list.
    """

    cut: Cut
    seed: int
    accounts: int
    each: int
    length: int
    factor: int = 1
    offset: int = 0

    def item(self, account: int, k: int, start: int = 0, step: int = 1) -> int:
        """Number of the `k`-th item of an account, which begins at its part's item `start` and goes
        on by `step`."""
        at = start + k * step
        if self.cut == "own":
            return at
        if self.cut == "same":
            return at % self.length
        at %= self.each
        if self.cut == "stride":
            return at * self.accounts + account
        place = account * self.each + at
        if self.cut == "range":
            return place
        return (place * self.factor + self.offset) % (self.accounts * self.each)


def draw_list(rng: Generator, cut: Cut, *, accounts: int, each: int, length: int = 1) -> ItemList:
    """A list with a seed of its own; raises ValueError where there is nobody or nothing to ask."""
    if accounts < 1 or each < 1 or length < 1:
        raise ValueError(f"no list of {accounts} accounts, {each} each, length {length}")
    total = accounts * each
    factor = 1 + int(rng.integers(total))
    while math.gcd(factor, total) != 1:  # coprime: a permutation of 0 … total - 1
        factor += 1
    return ItemList(
        cut, int(rng.integers(2**62)), accounts, each, length, factor, int(rng.integers(total))
    )
