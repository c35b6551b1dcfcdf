"""A place in all partitions of a topic at once, as one short text: "0:17,1:4"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_SHAPE: Final = re.compile(r"(?:\d{1,7}:\d{1,18}(?:,\d{1,7}:\d{1,18})*)?", re.ASCII)


def write_positions(positions: Mapping[int, int]) -> str:
    """Partition to next offset, sorted; partitions that are not named stand at 0."""
    return ",".join(f"{partition}:{positions[partition]}" for partition in sorted(positions))


def read_positions(text: str) -> dict[int, int]:
    """What `write_positions` wrote; "" is the beginning. Raises ValueError for anything else."""
    if not _SHAPE.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is no list of partition:offset")
    pairs = (pair.split(":") for pair in text.split(",") if pair)
    return {int(partition): int(offset) for partition, offset in pairs}
