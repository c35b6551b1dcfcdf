"""Source matching: attack and benign programs that can draw the very same items.

An item is drawn from the random state of its number before anything else, so two programs whose
first drawn slot has the same source and language get the same text under the same list seed:
what the account does with the item is all that differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from models.evaluate.units import Unit
from streams.traffic.bank import Program
from streams.traffic.day import VARIED_SOURCES
from streams.traffic.sources import SAME_TOPIC

LISTS = 12
"""Lists of items of a source and language; accounts of both sides share them."""

Key = tuple[str, str]


def matchable(program: Program) -> tuple[str, Program] | None:
    """(source, the program with the slot of that source first); None where none can be matched."""
    origins = program.slots
    topical = sum(isinstance(o, str) and o in SAME_TOPIC for o in origins.values())
    if topical > 1 or program.conversation == "agent":  # a common topic is drawn before the items
        return None
    for slot, origin in origins.items():
        if isinstance(origin, str) and origin in VARIED_SOURCES:
            slots = {slot: origin} | origins
            return origin, msgspec.structs.replace(program, slots=slots)
    return None


def matched_units(units: Sequence[Unit]) -> Mapping[Key, tuple[Unit, ...]]:
    """(source, language) -> units of both labels, where both labels are there."""
    pools: dict[Key, list[Unit]] = defaultdict(list)
    for unit in units:
        found = matchable(unit.program)
        if found is not None and unit.program.label != "depends":
            pools[found[0], unit.program.lang].append(unit)
    return {
        key: tuple(pool)
        for key, pool in sorted(pools.items())
        if {u.program.label for u in pool} == {"benign", "extraction"}
    }
