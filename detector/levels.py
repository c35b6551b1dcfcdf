"""The five verdicts, from none to hardest, and their order."""

from __future__ import annotations

from typing import Final, Literal

Level = Literal["allow", "watch", "throttle", "restrict", "block"]
"""A verdict. `watch` changes nothing for the customer; `restrict` hides reasoning and logprobs."""

LEVELS: Final[tuple[Level, ...]] = ("allow", "watch", "throttle", "restrict", "block")
"""Every level, mildest first."""

RANK: Final[dict[Level, int]] = {level: rank for rank, level in enumerate(LEVELS)}
"""Place of a level on the ladder; compare levels by it, never by name."""


def one_below(level: Level) -> Level:
    """The next milder level; `allow` stays `allow`."""
    return LEVELS[max(RANK[level] - 1, 0)]


def milder(first: Level, second: Level) -> Level:
    """The milder of two levels."""
    return first if RANK[first] <= RANK[second] else second
