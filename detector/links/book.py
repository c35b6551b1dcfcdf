"""The cohort book: sightings in, campaigns out. A state machine without clock or chance."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from detector.links.campaign import CampaignChange
from detector.links.sighting import Sighting


class CohortSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the cohort book decides.

    Attributes:
        epoch_s: campaigns are cut at multiples of this event time.
        alert_score: evidence from which a cohort is a campaign.
        least_accounts: a cohort has at least so many.
    """

    epoch_s: float = 60.0
    alert_score: float = 8.0
    least_accounts: int = 5


class CohortBook:
    """Link keys, accounts and campaigns of all tenants.

    The result depends only on the order of the sightings and on the epochs at which it is cut. Use:

        book = CohortBook(CohortSettings(), tools=None)
        for sighting in sightings:
            for epoch_s in book.due(sighting.at_s):   # epochs that end before this sighting
                changes += book.cut(epoch_s)
            book.apply(sighting)
    """

    def __init__(self, settings: CohortSettings, tools: Collection[str] | None = None) -> None:
        """`tools`: link keys that many unrelated accounts share; they carry no weight."""
        raise NotImplementedError

    def due(self, at_s: float) -> list[float]:
        """Epochs to cut before a sighting of event time `at_s` is applied; mostly none."""
        raise NotImplementedError

    def apply(self, sighting: Sighting) -> None:
        """Takes one sighting, in log order."""
        raise NotImplementedError

    def cut(self, epoch_s: float) -> list[CampaignChange]:
        """Campaigns that changed up to this epoch, in order of their ids."""
        raise NotImplementedError
