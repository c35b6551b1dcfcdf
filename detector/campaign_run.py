"""Sightings in, all that is told of campaigns out: the cohort book and the desk as one."""

from __future__ import annotations

from collections.abc import Iterable

from detector.campaign_desk import CampaignDesk, CampaignOutputs
from detector.links.book import CohortBook, CohortSettings
from detector.links.campaign import CampaignChange
from detector.links.sighting import Sighting


class CampaignRun:
    """One cohort book with its desk."""

    def __init__(self, settings: CohortSettings, desk: CampaignDesk) -> None:
        self._book = CohortBook(settings)
        self._desk = desk

    def add(self, sightings: Iterable[Sighting]) -> CampaignOutputs:
        """Takes sightings in log order; epochs that end before one of them are cut."""
        changes: list[CampaignChange] = []
        for sighting in sightings:
            for epoch_s in self._book.due(sighting.at_s):
                changes += self._book.cut(epoch_s)
            self._book.apply(sighting)
        return self._desk.take(changes)

    def finish(self) -> CampaignOutputs:
        """The end of a finite log."""
        return self._desk.take(self._book.finish())
