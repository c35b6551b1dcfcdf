"""The API's service over a log: followers, tables and stores put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector

from detector.api.feeds import verdict_feed
from detector.api.service import Service
from detector.follower import Follower
from detector.key_ring import KeyRing
from detector.output_records import ALERTS, VERDICTS
from detector.settings import Settings
from detector.store.alert_store import AlertStore
from detector.verdict_table import VerdictTable
from streams.log import Log, LogReader, TopicPartition

if TYPE_CHECKING:
    from detector.benign_range import BenignRange


def build_service(
    settings: Settings,
    log: Log,
    keys: KeyRing,
    *,
    now_s: Callable[[], float],
    monotonic_s: Callable[[], float],
    alerts: AlertStore | None = None,
    benign: BenignRange | None = None,
    registry: CollectorRegistry | None = None,
) -> Service:
    """A service that is not started yet; `create_app` starts and stops it.

    The topics need not exist and the log need not answer: followers try until they do.

    Args:
        now_s: UTC epoch seconds, for ends of verdicts and keys.
        monotonic_s: seconds that only grow, for staleness.
        alerts: the store; opened from the settings when it is not given. The caller closes it.

    Raises StoreError when the database cannot be opened.
    """
    store = AlertStore(settings.database) if alerts is None else alerts
    table = VerdictTable()
    metrics = registry
    if metrics is None:
        metrics = CollectorRegistry()
        ProcessCollector(registry=metrics)
    stored = {TopicPartition(ALERTS, number): at for number, at in store.positions().items()}
    return Service(
        settings=settings,
        keys=keys,
        verdicts=table,
        verdict_follower=Follower(
            lambda: reader_of(log, VERDICTS),
            verdict_feed(table, now_s),
            monotonic_s,
            name="verdicts",
            forget=table.clear,
        ),
        alerts=store,
        alert_follower=Follower(
            lambda: reader_of(log, ALERTS),
            store.apply,
            monotonic_s,
            name="alerts",
            start_at=stored,
        ),
        lake=settings.lake,
        benign=benign,
        registry=metrics,
        now_s=now_s,
        monotonic_s=monotonic_s,
    )


def reader_of(log: Log, topic: str) -> LogReader:
    """A reader of every partition of a topic, from the earliest. Raises LogError."""
    partitions = [TopicPartition(topic, number) for number in range(log.partitions_for(topic))]
    return log.reader(partitions)
