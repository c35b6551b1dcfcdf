"""Everything that the API's routes work with, made once at start and handed to `create_app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from detector.follower import Follower
from detector.key_ring import KeyRing
from detector.settings import Settings
from detector.verdict_table import VerdictTable

if TYPE_CHECKING:
    from detector.benign_range import BenignRange
    from detector.store.alert_store import AlertStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the API answers from.

    Attributes:
        verdicts: the verdicts in force, fed by `verdict_follower`.
        alerts: the alert feed's store, fed by `alert_follower`.
        lake: folder or URL of the analysts' store; None: no score history is told.
        benign: the range of benign accounts by feature; None where the model card has none.
        registry: the metrics of this process.
        now_s: UTC epoch seconds; the wall clock in service, the log's clock in the demo.
        monotonic_s: seconds that only grow, for staleness.
    """

    settings: Settings
    keys: KeyRing
    verdicts: VerdictTable
    verdict_follower: Follower
    alerts: AlertStore
    alert_follower: Follower
    lake: str | None
    benign: BenignRange | None
    registry: CollectorRegistry
    now_s: Callable[[], float]
    monotonic_s: Callable[[], float]

    def start(self) -> None:
        """Starts following the topics."""
        self.verdict_follower.start()
        self.alert_follower.start()

    def end_streams(self) -> None:
        """Ends the live feeds, so that a server can stop without waiting for their readers."""
        self.alerts.news.close()

    def stop(self) -> None:
        """Stops following."""
        for follower in (self.verdict_follower, self.alert_follower):
            follower.end()
        for follower in (self.verdict_follower, self.alert_follower):
            follower.stop()
