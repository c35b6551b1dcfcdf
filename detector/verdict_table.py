"""The verdicts in force, in memory, as the gateway hook and the account page ask for them.

Fed with the records of `stillwatch.verdicts` in order; a lifted verdict is a tombstone. Written by
one thread (the follower's) and read by others without a lock: every value is immutable and replaced
whole, so that a reader sees the state before a record or after it.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detector.assessment import Scope
from detector.levels import RANK, Level
from detector.verdict_change import VerdictChange
from streams.envelope import decode, read_data, rfc3339
from streams.errors import MalformedRecord
from streams.log import LogRecord

EntityKey = tuple[str, Scope, str]
"""Tenant, scope, id of the scope."""

_Place = tuple[int, bytes]
"""Partition and record key. An organisation's accounts lie on several partitions, each with its
own word on the organisation; the hardest counts."""

_SPARE_ENDS: Final = 1024


@dataclass(frozen=True, slots=True)
class TableVerdict:
    """One verdict as the topic told it last.

    Attributes:
        rank: of the level, 0 for `allow`.
        expires_at_s: UTC epoch seconds; inf where it never ends.
        headers: what the gateway hook answers, ready to send.
    """

    change: VerdictChange
    rank: int
    expires_at_s: float
    headers: tuple[tuple[bytes, bytes], ...]

    @property
    def level(self) -> Level:
        """The verdict."""
        return self.change.to_level


class VerdictTable:
    """Every verdict in force, by entity and by account."""

    def __init__(self) -> None:
        self.unreadable = 0
        """Records of the topic that were no verdicts of ours."""
        self._rows: dict[_Place, TableVerdict] = {}
        self._enforced: dict[EntityKey, tuple[TableVerdict, ...]] = {}
        self._by_account: dict[tuple[str, str], tuple[_Place, ...]] = {}
        self._ends: list[tuple[float, _Place]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def clear(self) -> None:
        """Forgets everything: the topic is about to be read from its start."""
        self._rows, self._enforced, self._by_account, self._ends = {}, {}, {}, []

    def apply(self, records: Sequence[LogRecord]) -> None:
        """Takes over records in offset order. What is no verdict is counted and passed over."""
        for record in records:
            place = (record.partition, record.key or b"")
            if record.tombstone:
                self._remove(place)
                continue
            try:
                change = read_data(decode(record.value), VerdictChange)
                row = _row(change)
            except MalformedRecord:
                self.unreadable += 1
                continue
            self._remove(place)
            if row.rank > 0:
                self._add(place, row)

    def drop_expired(self, now_s: float) -> int:
        """Forgets verdicts that ended by `now_s`; returns how many. Answers do not change by it."""
        dropped = 0
        while self._ends and self._ends[0][0] <= now_s:
            end_s, place = heapq.heappop(self._ends)
            row = self._rows.get(place)
            if row is not None and row.expires_at_s == end_s:
                self._remove(place)
                dropped += 1
        return dropped

    def enforced(
        self,
        tenant: str,
        now_s: float,
        *,
        account: str | None = None,
        key: str | None = None,
        end_user: str | None = None,
        organisation: str | None = None,
    ) -> TableVerdict | None:
        """The hardest enforced, unexpired verdict over the scopes given; None where there is none.

        Of equal levels the wider scope's is told. An account's organisation need not be given:
        the verdict of an organisation is asked for where the gateway names it.
        """
        table = self._enforced
        found: TableVerdict | None = None
        rank = 0
        asked: tuple[tuple[Scope, str | None], ...] = (
            ("organisation", organisation),
            ("account", account),
            ("key", key),
            ("end_user", end_user),
        )
        for scope, scope_id in asked:
            if scope_id is None:
                continue
            for row in table.get((tenant, scope, scope_id), ()):
                if row.rank > rank and row.expires_at_s > now_s:
                    found, rank = row, row.rank
        return found

    def of_account(self, tenant: str, account: str, now_s: float) -> list[VerdictChange]:
        """Unexpired verdicts on an account and its parts, enforced or not; hardest first."""
        rows = [
            row
            for place in self._by_account.get((tenant, account), ())
            if (row := self._rows.get(place)) is not None and row.expires_at_s > now_s
        ]
        rows.sort(key=lambda row: (-row.rank, row.change.scope, row.change.scope_id))
        return [row.change for row in rows]

    def levels(self, now_s: float) -> dict[Level, int]:
        """How many unexpired verdicts there are of each level above `allow`."""
        counts: dict[Level, int] = {level: 0 for level, rank in RANK.items() if rank > 0}
        for row in list(self._rows.values()):
            if row.expires_at_s > now_s:
                counts[row.level] += 1
        return counts

    def _add(self, place: _Place, row: TableVerdict) -> None:
        change = row.change
        self._rows[place] = row
        owner = (change.tenant, change.account)
        self._by_account[owner] = (*self._by_account.get(owner, ()), place)
        if change.enforced:
            entity = (change.tenant, change.scope, change.scope_id)
            self._enforced[entity] = (*self._enforced.get(entity, ()), row)
        if row.expires_at_s < math.inf:
            heapq.heappush(self._ends, (row.expires_at_s, place))
            if len(self._ends) > 2 * len(self._rows) + _SPARE_ENDS:  # ends of renewed verdicts
                self._ends = [(kept.expires_at_s, at) for at, kept in self._rows.items()]
                heapq.heapify(self._ends)

    def _remove(self, place: _Place) -> None:
        row = self._rows.pop(place, None)
        if row is None:
            return
        change = row.change
        owner = (change.tenant, change.account)
        places = tuple(other for other in self._by_account[owner] if other != place)
        if places:
            self._by_account[owner] = places
        else:
            del self._by_account[owner]
        if change.enforced:
            entity = (change.tenant, change.scope, change.scope_id)
            rows = tuple(other for other in self._enforced[entity] if other is not row)
            if rows:
                self._enforced[entity] = rows
            else:
                del self._enforced[entity]


def _row(change: VerdictChange) -> TableVerdict:
    """Raises MalformedRecord for a time that cannot be told."""
    ends_s = math.inf if change.expires_at_s is None else change.expires_at_s
    headers = [
        (b"x-stillwatch-verdict", change.to_level.encode()),
        (b"x-stillwatch-scope", change.scope.encode()),
        (b"x-stillwatch-subject", subject_of(change).encode()),
    ]
    if ends_s < math.inf:
        headers.append((b"x-stillwatch-expires", rfc3339(ends_s).encode()))
    return TableVerdict(change, RANK[change.to_level], ends_s, tuple(headers))


def subject_of(change: VerdictChange) -> str:
    """A name for the judged entity that fits a header and a limit's key: 32 hex digits."""
    parts = (change.tenant, change.scope, change.scope_id)
    raw = "\0".join(parts).encode("utf-8", "replace")
    return hashlib.sha256(raw).hexdigest()[:32]
