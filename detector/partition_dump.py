"""What a partition holds beside its rows, as a snapshot keeps it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from detector.alerts import OpenAlert
from detector.allowlist import AllowEntry
from detector.record_reader import ReaderState
from detector.standing import Standing


@dataclass(frozen=True, slots=True)
class PartitionDump:
    """A copy that the partition no longer writes to.

    Attributes:
        clock_s: the partition's clock, -inf before the first event.
        epoch: number of the last hour in which idle entities were looked for.
        standings: MessagePack of the verdict book's standings: they are encoded at once, since
            the book goes on changing them.
        allowed: the allow-list.
        alerts: the open alerts.
        reader: what reading the records to come depends on.
    """

    clock_s: float
    epoch: int
    standings: bytes
    allowed: list[AllowEntry]
    alerts: list[OpenAlert]
    reader: ReaderState


def pack_standings(standings: list[Standing]) -> bytes:
    """MessagePack of standings."""
    return msgspec.msgpack.encode(standings)


def unpack_standings(packed: bytes) -> list[Standing]:
    """The standings again. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(packed, type=list[Standing])
