"""How long a run will take, from what its stages cost when they were last measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.evaluate.shards import OURS, Shard

TRAIN_UNIT_S, TRAIN_UNIT_ONE_COPY_S = 0.045, 0.02
"""Processor seconds of one fold's model a unit of the world: every program composed three times,
and once."""

FIT_UNIT_S = 0.02
"""The same of one fold's baselines."""

REQUEST_S: Mapping[str, float] = {
    "composing": 50e-6, "view": 15e-6, OURS: 10e-6, "MMD two-sample test": 70e-6,
    "hand-weighted rules": 25e-6, "PRADA, adapted": 10e-6, "Mahalanobis": 8e-6,
    "SEAT, adapted": 5e-6, "DATE-like text anomaly": 3e-6,
}  # fmt: skip
"""Processor seconds a request. With what the baselines not named cost it comes to the 190 µs that a
tenth of the plan took on one core."""

REPORT_S = 60.0
"""The report's own work: bootstraps, captures through the pipeline, cases."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is to be done, and how long it takes on free cores.

    Attributes:
        models: fold models to train. requests: to compose and score. seconds: wall time.
    """

    models: int
    requests: int
    seconds: float


def estimate(
    todo: Sequence[Shard], models: int, folds: int, *, units: int, one_copy: bool, workers: int
) -> Estimate:
    """Of the shards that are not cached, `models` missing models and `folds` of baselines, in a
    world of so many units."""
    train_s = models * units * (TRAIN_UNIT_ONE_COPY_S if one_copy else TRAIN_UNIT_S)
    work_s = train_s + folds * units * FIT_UNIT_S
    for shard in todo:
        missing = shard.missing()
        parts = ["composing", *missing]
        if set(missing) - {OURS}:
            parts.append("view")
        work_s += shard.requests * sum(REQUEST_S.get(part, 0.0) for part in parts)
    requests = sum(shard.requests for shard in todo)
    return Estimate(models, requests, work_s / max(workers, 1) + REPORT_S)
