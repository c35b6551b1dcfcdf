"""Where the snapshots of a partition lie, and how they are called.

    group=GROUP/topic=TOPIC/of=PARTITIONS/partition=NUMBER/OFFSET-SEQUENCE-KIND-WRITER.snapshot

A later state has a later name. `WRITER` keeps two members apart that write the same offset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import quote

from detector.snapshot_head import Kind, Place

_NAME: Final = re.compile(r"([0-9]{20})-([0-9]{6,})-(full|changed)-([0-9a-f]{8})\.snapshot")


@dataclass(frozen=True, slots=True, order=True)
class SnapshotName:
    """Name of a snapshot within its folder.

    Attributes:
        next_offset: first input record that is not in it.
        sequence: counts the snapshots of one writer.
        kind: all rows, or those that changed.
        writer: eight hex digits, new with each take-over.
    """

    next_offset: int
    sequence: int
    kind: Kind
    writer: str

    def __str__(self) -> str:
        return f"{self.next_offset:020}-{self.sequence:06}-{self.kind}-{self.writer}.snapshot"


def read_name(text: str) -> SnapshotName | None:
    """The name again; None for a file of another kind."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    return SnapshotName(int(found[1]), int(found[2]), cast("Kind", found[3]), found[4])


def folder_of(place: Place) -> str:
    """The folder of a place's snapshots, relative to the store."""
    group, topic = quote(place.group, safe=""), quote(place.topic, safe="")
    return f"group={group}/topic={topic}/of={place.partitions}/partition={place.partition}"
