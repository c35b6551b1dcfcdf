"""Sightings of invented accounts, for the cohort book."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from detector.links.book import CohortBook, CohortSettings
from detector.links.campaign import CampaignChange
from detector.links.sighting import Sighting
from tests.detector.builders import T0_S

FRAME, PARAMETERS = "f" * 16, "a" * 16


def sighting(account: str, **fields: Any) -> Sighting:
    """One account under one key; whatever is not given is ordinary."""
    given: dict[str, Any] = {
        "tenant": "default", "account": account, "organisation": None, "kind": "opening",
        "key": FRAME, "at_s": T0_S, "requests": 1, "one_shot": 1, "under": 1, "items": (),
        "n_items": 0, "keys": None, "foreign": 0, "failed": 0, "event_id": "", "first_s": T0_S,
        "created_s": None, "p_value": None, "level": "allow", "text": -1.8,
    }  # fmt: skip
    return Sighting(**given | fields)


def harvest(
    accounts: int, *, prefix: str = "h", items: Sequence[int] | None = None, **fields: Any
) -> Iterator[Sighting]:
    """Accounts that come every 20 s under one frame, each with three requests at an even pace; each
    has items of its own, or all have `items`."""
    for n in range(accounts):
        first_s = T0_S + 20.0 * n
        for k in (1, 2, 3):
            own = tuple(sorted(hash_of(n, i) for i in range(k)))
            told = own if items is None else tuple(sorted(items[:k]))
            common: dict[str, Any] = {
                "at_s": first_s + 300.0 * (k - 1), "requests": k, "one_shot": k, "under": k,
                "first_s": first_s, "pause": 5.7, "pause_spread": 0.05, "items": told,
                "n_items": k, "event_id": f"{prefix}{n}-{k}",
            }  # fmt: skip
            yield sighting(f"{prefix}{n}", **common | fields)
            yield sighting(
                f"{prefix}{n}", **common | fields | {"kind": "parameters", "key": PARAMETERS}
            )


def hash_of(account: int, item: int) -> int:
    """A hash that no other item has."""
    return (account * 1_000 + item) * 2_654_435_761 % 2**32


def strangers(accounts: int) -> Iterator[Sighting]:
    """Accounts that have nothing to do with each other."""
    for n in range(accounts):
        for kind in ("opening", "parameters"):
            key = f"{n if kind == 'opening' else n % 40:016x}"
            yield sighting(
                f"s{n}", kind=kind, key=key, at_s=T0_S + 7.0 * n, first_s=T0_S + 7.0 * n,
                text=-1.8 + 0.9 * (n % 3 - 1),
            )  # fmt: skip


def in_order(*parts: Iterator[Sighting]) -> list[Sighting]:
    """All of them by event time."""
    return sorted((seen for part in parts for seen in part), key=lambda seen: seen.at_s)


def told(
    sightings: Sequence[Sighting], settings: CohortSettings | None = None
) -> list[CampaignChange]:
    """What a book makes of them."""
    book, changes = CohortBook(settings or CohortSettings()), []
    for seen in sightings:
        for epoch_s in book.due(seen.at_s):
            changes += book.cut(epoch_s)
        book.apply(seen)
    return changes + book.finish()


def members(changes: Sequence[CampaignChange]) -> dict[str, str]:
    """Account -> verdict of the last word on it, over all campaigns."""
    return {m.account: m.verdict for change in changes for m in change.members}
