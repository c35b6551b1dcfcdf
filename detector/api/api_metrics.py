"""The API's own metrics: each is defined here once, with its meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from detector.api.service import Service
from detector.follower import Follower

_NAMES: Final = "stillwatch_api"


class ApiMetrics:
    """Counters that routes add to, and gauges that are read when asked for."""

    def __init__(self, service: Service) -> None:
        self.decisions = Counter(
            f"{_NAMES}_decisions",
            "Answers of the gateway hook, by verdict told and whether it was for staleness.",
            ["verdict", "stale"],
            registry=service.registry,
        )
        service.registry.register(_State(service))


class _State(Collector):
    """What the service holds at the moment of the scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        service = self._service
        followers = (service.verdict_follower, service.alert_follower)
        yield _by_topic(
            "staleness_seconds",
            "Seconds since the API is known to have held all of the topic.",
            followers,
            lambda follower: follower.staleness_s(),
        )
        yield _by_topic(
            "follower_failing",
            "1 while the topic cannot be followed.",
            followers,
            lambda follower: float(follower.error is not None),
        )
        verdicts = GaugeMetricFamily(
            f"{_NAMES}_verdicts", "Unexpired verdicts in the table, by level.", labels=["verdict"]
        )
        for level, count in service.verdicts.levels(service.now_s()).items():
            verdicts.add_metric([level], count)
        yield verdicts
        yield GaugeMetricFamily(
            f"{_NAMES}_unreadable_verdicts",
            "Records of the verdicts topic that are no verdicts of Stillwatch.",
            value=service.verdicts.unreadable,
        )

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not collect to learn the names."""
        return []


def _by_topic(
    name: str,
    meaning: str,
    followers: tuple[Follower, ...],
    value: Callable[[Follower], float],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{_NAMES}_{name}", meaning, labels=["topic"])
    for follower in followers:
        family.add_metric([follower.name], value(follower))
    return family
