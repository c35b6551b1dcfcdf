"""Who is not to be judged, for what, until when, and by whose word."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from detector.assessment import Scope
from detector.ladder import EVERYTHING, NOTHING


class AllowEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One person's word that an entity is not to be judged.

    Attributes:
        scope, scope_id: the entity; an account's entry holds for its keys and end users too,
            an organisation's for its accounts.
        reason, by: why, and who said so; kept for the audit.
        until_s: event time at which the entry ends.
        excused: feature groups it clears; ("*",) clears everything. An undo clears the groups
            that the undone verdict rested on, so that a new cause can still be seen.
    """

    tenant: str
    scope: Scope
    scope_id: str
    reason: str
    until_s: float
    by: str
    excused: tuple[str, ...] = ("*",)


Key = tuple[str, str, str]


class AllowList:
    """All entries in force, one an entity."""

    def __init__(self, entries: Iterable[AllowEntry] = ()) -> None:
        self._entries: dict[Key, AllowEntry] = {}
        self._next_end_s = math.inf
        for entry in entries:
            self.add(entry)

    def add(self, entry: AllowEntry) -> AllowEntry:
        """Add an entry; return what now holds for its entity.

        A full entry replaces what was there. A partial one (an undo) joins what was there: the
        groups of both, until the later end. Call `expire` first, or an ended entry joins too.
        """
        key = (entry.tenant, entry.scope, entry.scope_id)
        present = self._entries.get(key)
        if present is not None and "*" not in entry.excused:
            groups = {*present.excused, *entry.excused}
            entry = msgspec.structs.replace(
                entry,
                excused=("*",) if "*" in groups else tuple(sorted(groups)),
                until_s=max(present.until_s, entry.until_s),
            )
        self._entries[key] = entry
        self._next_end_s = min(self._next_end_s, entry.until_s)
        return entry

    def remove(self, tenant: str, scope: Scope, scope_id: str) -> bool:
        """End an entry early. Returns whether there was one."""
        return self._entries.pop((tenant, scope, scope_id), None) is not None

    def excused(
        self,
        tenant: str,
        scope: Scope,
        scope_id: str,
        account: str,
        organisation: str | None,
        at_s: float,
    ) -> frozenset[str]:
        """Groups cleared for an entity at `at_s`, by its own entry and those of what it is part of.

        Returns EVERYTHING, a set of group names, or the empty set.
        """
        if not self._entries:
            return NOTHING
        found: set[str] = set()
        keys: list[Key] = [(tenant, scope, scope_id), (tenant, "account", account)]
        if organisation is not None:
            keys.append((tenant, "organisation", organisation))
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None and at_s < entry.until_s:
                found.update(entry.excused)
        return EVERYTHING if "*" in found else frozenset(found)

    def expire(self, clock_s: float) -> None:
        """Forget entries that have ended. Costs nothing while none has."""
        if clock_s < self._next_end_s:
            return
        ended = [key for key, entry in self._entries.items() if entry.until_s <= clock_s]
        for key in ended:
            del self._entries[key]
        self._next_end_s = min((e.until_s for e in self._entries.values()), default=math.inf)

    def dump(self) -> list[AllowEntry]:
        """Every entry, sorted by entity."""
        return [self._entries[key] for key in sorted(self._entries)]
