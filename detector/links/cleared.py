"""Whom a person cleared: accounts, organisations and whole campaigns, each until a time.

Workers tell it among their sightings (kind CLEARED or UNCLEARED), so that it has its place in the
order of the log.
"""

from __future__ import annotations

from detector.links.sighting import Sighting

CLEARED, UNCLEARED = "cleared", "uncleared"


class Cleared:
    """Who is cleared in one tenant."""

    def __init__(self) -> None:
        self._until_s: dict[tuple[str, str], float] = {}

    def take(self, seen: Sighting) -> None:
        """Takes a sighting of kind CLEARED or UNCLEARED."""
        whom = ("account", seen.account) if seen.account else ("organisation", seen.key)
        if seen.kind == UNCLEARED or seen.until_s is None:
            self._until_s.pop(whom, None)
        else:
            self._until_s[whom] = max(seen.until_s, self._until_s.get(whom, 0.0))

    def covers(self, account: str, organisation: str | None, campaign: str, epoch_s: float) -> bool:
        """Whether a member is cleared, itself, with its organisation or with the campaign."""
        if not self._until_s:
            return False
        whom = (
            ("account", account), ("organisation", organisation or ""), ("organisation", campaign),
        )  # fmt: skip
        return any(self._until_s.get(one, 0.0) > epoch_s for one in whom)

    def forget(self, epoch_s: float) -> None:
        """Drops what has ended."""
        self._until_s = {whom: end for whom, end in self._until_s.items() if end > epoch_s}


def cleared(
    kind: str, tenant: str, *, account: str, organisation: str, at_s: float, until_s: float | None
) -> Sighting:
    """The sighting that says so; `organisation` may be a campaign's id, as its alert has it."""
    return Sighting(
        tenant=tenant, account=account, organisation=organisation or None, kind=kind,
        key=organisation, at_s=at_s, requests=0, one_shot=0, under=0, items=(), n_items=0,
        keys=None, foreign=0, failed=0, event_id="", first_s=at_s, created_s=None, p_value=None,
        level="allow", until_s=until_s,
    )  # fmt: skip
