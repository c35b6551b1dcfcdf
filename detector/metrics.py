"""Every metric of worker, rekeyer and lake role: its name, its labels and what it means.

Counters rise when a batch is committed, never before, and never during a silent replay: over all
workers and restarts they count each record once (a worker that dies takes its own counts with it).
"""

from __future__ import annotations

from collections import Counter as CountOf
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from detector.encoder_metrics import EncoderMetrics
from detector.member_metrics import MemberMetrics
from detector.outputs import Outputs
from detector.pipeline import Models
from streams.deadletters import DeadLetter
from streams.log import TopicPartition

_SNAPSHOT_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0)
_PAUSE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.25, 1.0)
_PLACE = ("topic", "partition")
_COUNTED = ("records", "requests", "duplicates", "late", "ahead_of_time", "unattributed", "evicted")


class WorkerMetrics:
    """The metrics of one worker in a registry that is handed down."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"stillwatch_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"stillwatch_{name}", meaning, labels, registry=registry)

        self._counts = {
            "records": counter("records", "Records of the input topic that were handled."),
            "requests": counter("requests", "Requests in them that were applied."),
            "duplicates": counter("duplicates", "Requests dropped: their event id was seen."),
            "late": counter("late", "Requests older than the partition's clock by over lateness_s:"
                            " kept out of rate features."),
            "ahead_of_time": counter("ahead_of_time", "Requests more than an hour ahead of their"
                                     " record: they do not move the clock."),
            "unattributed": counter("unattributed", "Requests without an account: not judged."),
            "evicted": counter("accounts_evicted", "Accounts dropped because they were idle."),
        }  # fmt: skip
        self._dead_letters = counter(
            "dead_letters", "Records that could not be read, by kind of error.", "kind"
        )
        self._alerts = counter(
            "alerts", "Revisions of alerts, by verdict and state.", "verdict", "state"
        )
        self._verdicts = counter(
            "verdict_changes", "Changes of verdicts, by what happened and to which.", "kind", "to"
        )
        self._scores = counter("scores", "Scorings put out.")
        self._controls = counter(
            "control_records",
            "Control records, a partition each, by what became of them.",
            "result",
        )
        self.two_partitions = counter(
            "account_on_two_partitions",
            "Accounts seen on two partitions of this worker: the topic is not keyed by account.",
        )
        self.replaced_models = counter(
            "replaced_switches",
            "Switches of the past that could not be repeated in a silent replay.",
        )
        self.accounts = gauge("accounts_tracked", "Accounts in memory.")
        self.rebuild = gauge(
            "rebuild_remaining_records",
            "Records left of the silent replay that rebuilds a partition's state.",
            "partition",
        )
        self.gpu = gauge("gpu_in_use", "1 when the classifier runs on a GPU.")
        self.member = MemberMetrics(registry)
        self._encoder = EncoderMetrics(registry)
        self.snapshots = SnapshotMetrics(registry)

    def models(self, models: Models) -> None:
        """Tells what the models run on."""
        self.gpu.set(models.scorer.provider.startswith("CUDA"))
        self._encoder.models(models)

    def committed(self, out: Outputs) -> None:
        """Counts what one transaction put out."""
        for name in _COUNTED:
            if count := out.counts[name]:
                self._counts[name].inc(count)
        for kind, count in CountOf(letter.kind for letter in out.dead_letters).items():
            self._dead_letters.labels(kind).inc(count)
        for (verdict, state), count in CountOf((a.verdict, a.state) for a, _ in out.alerts).items():
            self._alerts.labels(verdict, state).inc(count)
        for (what, to), count in CountOf((v.kind, v.to_level) for v in out.verdicts).items():
            self._verdicts.labels(what, to).inc(count)
        self._scores.inc(len(out.scores))
        self._encoder.committed(out)

    def controlled(self, refused: bool) -> None:
        """Counts a control record that was applied or refused in a partition."""
        self._controls.labels("refused" if refused else "applied").inc()

    def forget(self, partition: int) -> None:
        """Takes a partition that is no longer ours off the gauges."""
        self.member.forget(partition)
        self.rebuild.labels(str(partition))  # `remove` wants it to be there
        self.rebuild.remove(str(partition))


class SnapshotMetrics:
    """The metrics of a worker's snapshots in a registry that is handed down."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"stillwatch_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"stillwatch_{name}", meaning, ("partition",), registry=registry)

        self._written = counter(
            "snapshots", "Snapshots written, by kind: all rows, or those that changed.", "kind"
        )
        self._seconds = Histogram(
            "stillwatch_snapshot_seconds",
            "Seconds from the cut of a snapshot to its end in the store.",
            ("kind",),
            registry=registry,
            buckets=_SNAPSHOT_SECONDS,
        )
        self._bytes = gauge("snapshot_bytes", "Size of a partition's last snapshot as stored.")
        self._bytes_total = counter("snapshot_written_bytes", "Bytes of all snapshots written.")
        self._age = gauge(
            "snapshot_age_seconds",
            "Age of a partition's last snapshot; 0 while nothing came since. What is replayed after"
            " a crash. Rises without end when snapshots cannot be written.",
        )
        self.failures = counter(
            "snapshot_failures", "Snapshots that could not be written; the stream went on."
        )
        self.pause_seconds = Histogram(
            "stillwatch_snapshot_pause_seconds",
            "Seconds for which a turn waited for a snapshot: a cut, or a slice of rows copied.",
            registry=registry,
            buckets=_PAUSE_SECONDS,
        )
        self._recoveries = counter(
            "recoveries", "Partitions rebuilt, by what from: snapshot, or replay alone.", "source"
        )
        self._skipped = counter(
            "snapshots_skipped", "Snapshots that a rebuild found and could not use: see the log."
        )
        self._recovery_seconds = Histogram(
            "stillwatch_recovery_seconds",
            "Seconds from taking a partition over to its first new record, by what from.",
            ("source",),
            registry=registry,
            buckets=_SNAPSHOT_SECONDS,
        )

    def written(self, partition: int, kind: str, seconds: float, size: int) -> None:
        """Counts a snapshot that is in the store."""
        self._written.labels(kind).inc()
        self._seconds.labels(kind).observe(seconds)
        self._bytes.labels(str(partition)).set(size)
        self._bytes_total.inc(size)

    def age(self, partition: int, seconds: float) -> None:
        """Tells how old a partition's last snapshot is."""
        self._age.labels(str(partition)).set(seconds)

    def recovered(self, from_snapshot: bool, skipped: int, seconds: float) -> None:
        """Counts a partition that was rebuilt."""
        source = "snapshot" if from_snapshot else "replay"
        self._recoveries.labels(source).inc()
        self._recovery_seconds.labels(source).observe(seconds)
        self._skipped.inc(skipped)

    def forget(self, partition: int) -> None:
        """Takes a partition that is no longer ours off the gauges."""
        for metric in (self._age, self._bytes):
            metric.labels(str(partition))  # `remove` wants it to be there
            metric.remove(str(partition))


class LakeMetrics:
    """The metrics of one member of the lake role in a registry that is handed down.

    `counts` by name; they rise when a record is taken, which is before it is committed: after a
    restart what was not committed is counted again.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str) -> Counter:
            return Counter(f"stillwatch_lake_{name}", meaning, registry=registry)

        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"stillwatch_lake_{name}", meaning, _PLACE, registry=registry)

        self.counts = {
            "records": counter("records", "Records that were read, of all three topics."),
            "facts": counter("facts", "Requests taken into the table facts."),
            "scores": counter("scores", "Scorings taken into the table scores."),
            "alerts": counter("alerts", "Revisions of alerts taken into the table alerts."),
            "duplicates": counter("duplicates", "Requests dropped: their event id was seen."),
            "bad_requests": counter("bad_requests", "Request records that cannot be read; their"
                                    " dead letters are the worker's."),
            "bad_outputs": counter("bad_outputs", "Scores and alerts that cannot be read."),
            "lost": counter("records_lost", "Records that a topic dropped before they were read."),
            "files": counter("files", "Parquet files written."),
            "flushes": counter("flushes", "Commits of what was written."),
            "removed": counter("files_removed", "Files removed: written before, never committed."),
        }  # fmt: skip
        self.rejoins = Counter(
            "stillwatch_lake_rejoins",
            "New starts within the process, by what they were for.",
            ("reason",),
            registry=registry,
        )
        self.connected = Gauge(
            "stillwatch_lake_log_connected",
            "1 while steps go well, 0 while Kafka is being tried again.",
            registry=registry,
        )
        self._lag = gauge("lag_records", "Records behind the end of the partition, when written.")
        self._written = gauge("written_offset", "Offset up to which records are in files.")

    def progress(self, at: TopicPartition, lag: int, written: int) -> None:
        """Tells how far a partition is."""
        self._lag.labels(at.topic, str(at.partition)).set(lag)
        self._written.labels(at.topic, str(at.partition)).set(written)

    def forget(self, at: TopicPartition) -> None:
        """Takes a partition that is no longer ours off the gauges."""
        for metric in (self._lag, self._written):
            metric.labels(at.topic, str(at.partition))  # `remove` wants it to be there
            metric.remove(at.topic, str(at.partition))


class RekeyMetrics:
    """The metrics of one rekeyer in a registry that is handed down.

    Counters rise when a transaction is committed, never before.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"stillwatch_rekey_{name}", meaning, labels, registry=registry)

        self._counts = {
            "records": counter("records", "Records of the topic without keys that were handled."),
            "written": counter("written", "Records written to the input topic."),
            "cut": counter("cut", "Records of several accounts, cut into one for each."),
            "mixed": counter("mixed", "Records of several accounts that cannot be cut: keyed by the"
                             " first."),
            "empty": counter("empty", "Records that tell of no request: not written."),
        }  # fmt: skip
        self._dead_letters = counter(
            "dead_letters", "Records without a readable account, by kind of error.", "kind"
        )
        self.member = MemberMetrics(registry, "rekey_")

    def committed(self, counts: Mapping[str, int], dead_letters: Sequence[DeadLetter]) -> None:
        """Counts what one transaction did with a partition's records."""
        for name, metric in self._counts.items():
            if count := counts.get(name, 0):
                metric.inc(count)
        for kind, count in CountOf(letter.kind for letter in dead_letters).items():
            self._dead_letters.labels(kind).inc(count)


class CohortsMetrics:
    """The metrics of one process of the cohorts role in a registry that is handed down.

    Counters rise when a transaction is committed, never before, and never during a silent replay.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"stillwatch_cohorts_{name}", meaning, labels, registry=registry)

        self._sightings = counter("sightings", "Sightings that were handled.")
        self._campaigns = counter("campaigns", "Campaigns opened.")
        self._verdicts = counter("verdicts", "Changes of members' verdicts put out.")
        self._dead_letters = counter(
            "dead_letters", "Sightings that could not be read, by kind of error.", "kind"
        )
        self.member = MemberMetrics(registry, "cohorts_")

    def committed(
        self, count: int, opened: int, verdicts: int, dead_letters: Sequence[DeadLetter]
    ) -> None:
        """Counts what one transaction did."""
        self._sightings.inc(count)
        self._campaigns.inc(opened)
        self._verdicts.inc(verdicts)
        for kind, n in CountOf(letter.kind for letter in dead_letters).items():
            self._dead_letters.labels(kind).inc(n)
