"""What every member of a group that commits in transactions tells of itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BATCH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class MemberMetrics:
    """The metrics of one `GroupMember` in a registry that is handed down."""

    def __init__(self, registry: CollectorRegistry, role: str = "") -> None:
        """`role`: stands in every name, with an underscore after it; the worker has none."""

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"stillwatch_{role}{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"stillwatch_{role}{name}", meaning, labels, registry=registry)

        self.lost = counter("records_lost", "Records that the topic dropped before they were read.")
        self.rejoins = counter(
            "rejoins",
            "New starts within the process: all dropped, joined anew; by what it was for.",
            "reason",
        )
        self.held = counter(
            "commits_held",
            "Transactions that a rebalance refused; the same was sent again after it.",
        )
        self.connected = gauge(
            "log_connected", "1 while turns go well, 0 while Kafka is being tried again."
        )
        self.stuck = gauge(
            "partitions_stuck",
            "Partitions that have records and are not read; a new consumer is made for them.",
        )
        self.batch_seconds = Histogram(
            f"stillwatch_{role}batch_seconds",
            "Seconds from a poll's records to their commit.",
            registry=registry,
            buckets=_BATCH_SECONDS,
        )
        self.partitions = gauge("partitions", "Partitions owned by this process.")
        self.lag = gauge("lag_records", "Records behind the end of the partition.", "partition")

    def forget(self, partition: int) -> None:
        """Takes a partition that is no longer ours off the gauge."""
        self.lag.labels(str(partition))  # `remove` wants it to be there
        self.lag.remove(str(partition))
