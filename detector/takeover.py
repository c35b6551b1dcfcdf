"""Taking partitions over: announced, rebuilt slice by slice, and handed to the worker live.

A worker writes an `Assigned` record and waits until it has read it back: then it has read every
marker that was committed before. Only then is it known which switches took effect where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from detector.control import Assigned, control_record
from detector.control_book import ControlBook
from detector.metrics import WorkerMetrics
from detector.pipeline import Pipeline
from detector.rebuild import Rebuild
from detector.shard import Shard
from detector.snapshot_keeper import SnapshotKeeper
from detector.switches import ModelShelf
from detector.worker_settings import WorkerSettings
from streams.deadletters import RatioCap
from streams.envelope import derived_id
from streams.log import Log, LogConsumer, LogProducer, TopicPartition

REPLAY_WAIT_S = 0.05
"""How long a slice waits for records."""

TELL_EVERY_S = 10.0
"""Progress is told so often."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Running:
    """A rebuild, when it began, and when its progress is told next."""

    rebuild: Rebuild
    since_s: float
    tell_s: float
    watched: bool = False


class Takeover:
    """The partitions that are this worker's and not live yet."""

    def __init__(
        self,
        log_: Log,
        pipeline: Pipeline,
        shelf: ModelShelf,
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        keeper: SnapshotKeeper | None,
        *,
        now_s: Callable[[], float],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._log = log_
        self._pipeline = pipeline
        self._shelf = shelf
        self._settings = settings
        self._metrics = metrics
        self._keeper = keeper
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._arriving: list[TopicPartition] = []
        self._token: str | None = None
        self._tokens = 0
        self._running: dict[TopicPartition, _Running] = {}

    def __len__(self) -> int:
        return len(self._arriving) + len(self._running)

    @property
    def partitions(self) -> list[TopicPartition]:
        """All of them."""
        return [*self._running, *self._arriving]

    @property
    def shards(self) -> list[Shard]:
        """Those that are being rebuilt."""
        return [running.rebuild.shard for running in self._running.values()]

    @property
    def waits_for_control(self) -> bool:
        """Whether an announcement was made and not read back yet."""
        return self._token is not None

    def arrive(self, partitions: Sequence[TopicPartition]) -> None:
        """These are ours now."""
        self._arriving += partitions
        self._token = None

    def drop(self, at: TopicPartition) -> None:
        """This one is ours no longer."""
        if at in self._arriving:
            self._arriving.remove(at)
        running = self._running.pop(at, None)
        if running is not None:
            running.rebuild.close()

    def forget(self) -> None:
        """Forgets the announcement, as after a lost connection."""
        self._token = None

    def step(self, consumer: LogConsumer, producer: LogProducer, book: ControlBook) -> list[Shard]:
        """Does a little; the shards that are live from now on. Raises LogError."""
        live = self._begin(consumer, producer, book)
        return [*live, *self._replay_slices()]

    def new_shard(self, at: TopicPartition, offset: int, book: ControlBook) -> Shard:
        """An empty shard that goes on at `offset`, and that a snapshot keeper watches not yet."""
        cap = RatioCap(self._settings.bad_ratio_cap)
        return Shard(at, self._pipeline, cap, book, self._shelf, offset)

    def watch(self, shard: Shard, rebuild: Rebuild | None = None) -> None:
        """From here on snapshots are taken of it."""
        if self._keeper is None:
            return
        self._tokens += 1
        token = f"{self._settings.member_id}/{self._now_s():.3f}/{self._tokens}/watch"
        if rebuild is None:
            self._keeper.begin(shard, token, None)
        else:
            self._keeper.begin(shard, token, rebuild.loaded, rebuild.stale)

    def _begin(
        self, consumer: LogConsumer, producer: LogProducer, book: ControlBook
    ) -> list[Shard]:
        """Announces new partitions and, once that was read back, starts rebuilding them."""
        if not self._arriving:
            return []
        if self._token is None:
            self._announce(producer)
            return []
        if not book.saw(self._token):
            return []
        committed, positions = consumer.committed(), consumer.positions()
        live = []
        for at in self._arriving:
            offset = committed[at]
            if offset is None:
                shard = self.new_shard(at, positions[at], book)
                shard.begin(None)
                self.watch(shard)
                live.append(shard)
            else:
                self._rebuild(at, offset, book)
        self._arriving, self._token = [], None
        return live

    def _rebuild(self, at: TopicPartition, committed: int, book: ControlBook) -> None:
        now_s = self._monotonic_s()
        shard = self.new_shard(at, 0, book)
        shard.begin(committed)
        if self._keeper is None:
            rebuild = Rebuild(shard, self._log, committed)
        else:
            load = self._keeper.search(at, committed, shard.past)
            until_s = now_s + self._keeper.settings.load_limit_s
            rebuild = Rebuild(shard, self._log, committed, load, until_s)
        self._running[at] = _Running(rebuild, now_s, now_s + TELL_EVERY_S)

    def _announce(self, producer: LogProducer) -> None:
        settings = self._settings
        self._tokens += 1
        self._token = f"{settings.member_id}/{self._now_s():.3f}/{self._tokens}"
        body = Assigned(
            group=settings.group,
            member=settings.member_id,
            token=self._token,
            topic=settings.topic,
            partitions=tuple(sorted(at.partition for at in self._arriving)),
        )
        event_id = derived_id("assigned", self._token)
        record = control_record(body, event_id=event_id, at_s=self._now_s())
        producer.send_transaction([record], {})

    def _replay_slices(self) -> list[Shard]:
        live = []
        for at, running in [*self._running.items()]:
            rebuild = running.rebuild
            done = self._slice(running)
            self._metrics.rebuild.labels(str(at.partition)).set(rebuild.remaining)
            now_s = self._monotonic_s()
            if done:
                del self._running[at]
                self._metrics.replaced_models.inc(rebuild.shard.not_repeated)
                rebuild.shard.next_offset = rebuild.committed
                self._tell_end(running, now_s)
                live.append(rebuild.shard)
            elif now_s >= running.tell_s:
                running.tell_s = now_s + TELL_EVERY_S
                log.info(
                    f"rebuilding partition {at.partition}: {rebuild.remaining:,} records left",
                    topic=at.topic,
                )
        return live

    def _slice(self, running: _Running) -> bool:
        rebuild = running.rebuild
        if not running.watched:
            if not rebuild.prepare(REPLAY_WAIT_S, self._monotonic_s()):
                return False
            running.watched = True
            self.watch(rebuild.shard, rebuild)
        return rebuild.slice(self._settings.batch_records, REPLAY_WAIT_S)

    def _tell_end(self, running: _Running, now_s: float) -> None:
        rebuild, took_s = running.rebuild, now_s - running.since_s
        at, loaded = rebuild.shard.at, rebuild.loaded
        self._metrics.snapshots.recovered(loaded is not None, rebuild.skipped, took_s)
        how = "without a snapshot"
        if loaded is not None:
            how = f"from the snapshot at offset {loaded.head.next_offset}"
        log.info(
            f"partition {at.partition} is live at offset {rebuild.committed}, rebuilt {how} in "
            f"{took_s:.1f} s",
            topic=at.topic,
        )
