"""Runs of the whole pipeline with the released models and the packaged policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from detector.alert_event import alert_event
from detector.levels import RANK
from detector.outputs import Outputs
from detector.partition import PartitionSettings
from detector.pipeline import Models, Pipeline, load_models
from detector.policy import Policy, default_policy_path, load_policy
from detector.settings import packaged_models
from streams.deadletters import RatioCap
from streams.envelope import encode
from streams.intake import IntakeSettings
from streams.log import LogRecord
from streams.record import ApiRequest

NATIVE = PartitionSettings(intake=IntakeSettings("native"))
WATCH, THROTTLE = RANK["watch"], RANK["throttle"]


@cache
def released() -> Models:
    """The models that ship."""
    return load_models(packaged_models())


@cache
def packaged_policy() -> Policy:
    """The policy that ships."""
    return load_policy(default_policy_path())


def log_record(value: bytes, offset: int, time_s: float | None, partition: int = 0) -> LogRecord:
    """A record of the topic; without a time its timestamp is 0."""
    return LogRecord("llm.requests", partition, offset, None, value, time_s or 0.0)


def records_of(requests: Iterable[ApiRequest], partition: int = 0) -> list[LogRecord]:
    """Native records, each stamped with its event time."""
    return [
        log_record(msgspec.json.encode(r), i, r.event_time_s, partition)
        for i, r in enumerate(requests)
    ]


@dataclass(frozen=True, slots=True)
class Run:
    """A pipeline after its log, and all that it put out."""

    pipeline: Pipeline
    outputs: Outputs

    def worst(self) -> dict[str, int]:
        """Rank of the hardest verdict under each account; 0 for those without one."""
        out: dict[str, int] = defaultdict(int)
        for change in self.outputs.verdicts:
            if not change.suppressed:
                out[change.account] = max(out[change.account], RANK[change.to_level])
        return out

    def alerts(self) -> list[bytes]:
        """The alerts as they stand on their topic."""
        return [encode(alert_event(alert, at_s)) for alert, at_s in self.outputs.alerts]

    def scores(self) -> list[bytes]:
        """The score rows, bit for bit."""
        return [
            msgspec.json.encode([*(getattr(row, name) for name in _SCALARS), row.vector.tobytes()])
            for row in self.outputs.scores
        ]

    def state(self) -> dict[int, tuple[tuple[str, ...], bytes, bytes]]:
        """By partition: digests of the tables, the verdict book and the alert book."""
        return {
            number: (
                part.state.digest(),
                msgspec.json.encode(part.verdicts.dump(), order="deterministic"),
                msgspec.json.encode(part.alerts.dump(), order="deterministic"),
            )
            for number, part in self.pipeline.partitions.items()
        }


_SCALARS = (
    "tenant", "account", "scope", "scope_id", "at_s", "requests", "new_pieces", "cue_pieces",
    "score", "p_value",
)  # fmt: skip


def run_records(
    records: Sequence[LogRecord],
    *,
    size: int = 5000,
    settings: PartitionSettings = NATIVE,
    cap: RatioCap | None = None,
    models: Models | None = None,
    policy: Policy | None = None,
) -> Run:
    """Records through a new pipeline in batches of `size`, partition by partition, to the end.

    `models` are the released ones, and `policy` the packaged one, unless given.
    """
    pipeline = Pipeline(models or released(), policy or packaged_policy(), settings, cap)
    out = Outputs()
    parts: dict[int, list[LogRecord]] = defaultdict(list)
    for record in records:
        parts[record.partition].append(record)
    for number in sorted(parts):
        mine = parts[number]
        for start in range(0, len(mine), size):
            out.add(pipeline.process(mine[start : start + size], number))
    out.add(pipeline.finish())
    return Run(pipeline, out)


def run(requests: Iterable[ApiRequest], settings: PartitionSettings = NATIVE) -> Run:
    """Requests through a new pipeline as one log, to its end."""
    return run_records(records_of(requests), settings=settings)
