"""Which offsets a file of the lake holds: told by its name alone.

    scores/tenant=default/day=2026-11-25/stillwatch.scores-3-000000012345-000000013000-9f86d081.parquet
    topic, partition, first offset, end offset (first of the next file), tag of the writer

So a restart needs no journal: what begins at or past the committed offset was written and never
committed, and goes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from streams.log import TopicPartition

_NAME = re.compile(r"(.+)-(\d+)-(\d{12,})-(\d{12,})-([0-9a-f]{8})\.parquet")


@dataclass(frozen=True, slots=True, order=True)
class OffsetRange:
    """Records of one partition from `first` up to, not including, `end`, written by one member."""

    source: TopicPartition
    first: int
    end: int
    writer: str

    @property
    def file_name(self) -> str:
        """Name of a file that holds rows of this range."""
        topic, number = self.source.topic, self.source.partition
        return f"{topic}-{number}-{self.first:012d}-{self.end:012d}-{self.writer}.parquet"

    @classmethod
    def of_file(cls, path: str) -> Self | None:
        """The range in a file's name; None for a file that demo or replay wrote."""
        found = _NAME.fullmatch(path.rsplit("/", maxsplit=1)[-1])
        if found is None:
            return None
        topic, number, first, end, writer = found.groups()
        return cls(TopicPartition(topic, int(number)), int(first), int(end), writer)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What makes the files of one partition hold each record once: ranges to remove, and the
    offset to go on from.
    """

    remove: frozenset[OffsetRange]
    position: int


def writer_tag(member_id: str) -> str:
    """Tag of a group member in its files' names."""
    return hashlib.blake2b(member_id.encode("utf-8", "replace"), digest_size=4).hexdigest()


def settle(found: Iterable[OffsetRange], position: int) -> Settlement:
    """Compares the ranges of one partition's files with its committed offset.

    What begins at or past it was never committed. A range that reaches past it alone means that
    the offset was set back: the file stays and its records are passed over. Ranges that overlap
    otherwise are left by a member that was thrown out and killed while it wrote: it began where
    its successor began, so the longest range that ends before the next one begins holds all.
    """
    groups: dict[int, list[OffsetRange]] = {}
    remove: set[OffsetRange] = set()
    for one in found:
        if one.first >= position:
            remove.add(one)
        else:
            groups.setdefault(one.first, []).append(one)
    limit = start = position
    for first in sorted(groups, reverse=True):
        fits = [one for one in groups[first] if one.end <= limit]
        if not fits and limit == position:
            fits = groups[first]
            start = max(one.end for one in fits)
        keep = max(fits, key=lambda one: (one.end, one.writer), default=None)
        remove.update(one for one in groups[first] if one != keep)
        limit = first
    return Settlement(frozenset(remove), start)
