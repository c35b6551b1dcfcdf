"""The header of a snapshot: whose state it is, up to where, and what it builds on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from detector.entities import ACCOUNT_ROW
from detector.features import schema_hash
from detector.features.narrow import NARROW_ROW
from streams.log import LogRecord

Kind = Literal["full", "changed"]


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A control record that is in a state already: applied or refused before `before_offset`."""

    control_offset: int
    before_offset: int
    refused: bool


class Anchor(msgspec.Struct, frozen=True, array_like=True):
    """The last input record in a state: a topic that was made anew has another one there."""

    offset: int
    digest: str


@dataclass(frozen=True, slots=True)
class Place:
    """Whose state: a partition of an input topic, as a group of workers reads it."""

    group: str
    topic: str
    partitions: int
    partition: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The header.

    Attributes:
        group, topic, partition: whose state it is; `partitions`: how many the topic has.
        next_offset: first input record that is not in the state.
        anchor: the last record that is; None before the first.
        marks: the control records that are in it.
        kind: "full", or "changed": the rows that changed since the state `base`.
        base, base_check: file name and check of the snapshot that a changed one builds on.
        links: changed ones between this one and its full one, itself counted.
        link_bytes: bytes of the rows in all of them, before compression.
        feature_schema: hash of the feature groups (`features.schema_hash`).
        layout: hash of the rows' fields.
        policy, model: in force; for people to read.
    """

    group: str
    topic: str
    partition: int
    partitions: int
    next_offset: int
    anchor: Anchor | None
    marks: tuple[Mark, ...]
    kind: Kind
    base: str | None
    base_check: str | None
    links: int
    link_bytes: int
    feature_schema: str
    layout: str
    policy: str
    model: str

    @property
    def place(self) -> Place:
        """Whose state it is."""
        return Place(self.group, self.topic, self.partitions, self.partition)

    def misfit(self, place: Place) -> str | None:
        """Why it cannot be used for `place` by this release; None where it can."""
        if self.place != place:
            return f"is of another place: {self.place}"
        if self.feature_schema != schema_hash() or self.layout != row_layout():
            return "was written with another feature schema; the state is rebuilt by replay"
        return None

    def contradiction(self, past: Sequence[Mark]) -> str | None:
        """Where it and the control topic tell two stories; None where they do not.

        past: what the topic says was applied up to the committed offset, in order.
        """
        told = {mark.control_offset: mark for mark in past}
        for mark in self.marks:
            if told.get(mark.control_offset) != mark:
                return f"control record {mark.control_offset} took effect elsewhere since"
        ours = {mark.control_offset for mark in self.marks}
        for mark in past:
            if mark.control_offset not in ours and mark.before_offset < self.next_offset:
                return f"control record {mark.control_offset} is missing in it"
        return None


def anchor_of(record: LogRecord) -> Anchor:
    """The anchor that a record makes."""
    key = b"-" if record.key is None else b"+" + record.key
    head = f"{record.offset}/{round(record.timestamp_s * 1000)}/{len(key)}/".encode()
    digest = hashlib.blake2b(head + key + record.value, digest_size=16).hexdigest()
    return Anchor(record.offset, digest)


def row_layout() -> str:
    """Hash of the rows' fields: rows of another layout would be misread."""
    text = repr([(d.descr, d.itemsize) for d in (ACCOUNT_ROW, NARROW_ROW)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
