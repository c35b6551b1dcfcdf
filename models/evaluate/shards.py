"""The long stage: accounts are composed in shards and scored by every detector; shards are cached.

A shard is composed again only for the detectors whose code, training or data changed since; the
rest is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from detector.pipeline import Models, load_models
from models.baselines.baseline import Baseline
from models.baselines.view import view_of
from models.evaluate.cache import digest, load_arrays, save_arrays
from models.evaluate.compose import Composition, Job
from models.evaluate.fold_models import model_of
from models.evaluate.ours import Points, score_points
from models.evaluate.units import World
from streams.traffic.answers import Filler
from streams.traffic.corpus import load_corpus

OURS = "stillwatch"
SHARD_REQUESTS = 15_000
Fitted = Mapping[tuple[int, bool], Sequence[Baseline]]
"""(fold, literature setting or not) -> fitted baselines."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Jobs of one cell and one fold.

    Attributes:
        path: of its cache file. keys: detector -> name of its arrays in that file.
    """

    jobs: tuple[Job, ...]
    path: Path
    keys: Mapping[str, str]

    @property
    def requests(self) -> int:
        """Requests it composes."""
        return sum(job.cell.requests for job in self.jobs)

    def missing(self) -> list[str]:
        """Detectors whose scores are not cached."""
        if not self.path.exists():
            return list(self.keys)
        with np.load(self.path) as file:
            names = {name.partition("/")[0] for name in file.files}
        return [d for d, key in self.keys.items() if key not in names]


def cut(
    jobs: Sequence[Job], cache: Path, traffic: str, keys: Callable[[int, bool], Mapping[str, str]]
) -> list[Shard]:
    """Shards of the jobs; `keys(fold, literature)` names each detector's arrays."""
    groups: dict[tuple[str, int], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.cell.name, job.fold), []).append(job)
    out = []
    for (_, fold), mine in groups.items():
        size = max(1, SHARD_REQUESTS // mine[0].cell.requests)
        literature = mine[0].cell.setting == "literature"
        for start in range(0, len(mine), size):
            part = tuple(mine[start : start + size])
            name = digest(traffic, [job.name for job in part], part[0].cell.looks)
            out.append(Shard(part, cache / "shards" / f"{name}.npz", keys(fold, literature)))
    return out


@dataclass(slots=True)
class _Worker:
    composition: Composition
    folders: Mapping[int, Path]
    fitted: Fitted
    models: dict[int, Models]


_worker: list[_Worker] = []
"""What this process works with; set once, by `_begin`."""


def _begin(
    world: World, seed: int, data: Path | None, folders: Mapping[int, Path], fitted: Fitted
) -> None:
    corpus = load_corpus(data) if data is not None else None
    composition = Composition(world, seed, corpus, Filler(seed))
    threadpool_limits(1)
    _worker[:] = [_Worker(composition, folders, fitted, {})]


def score_shards(
    shards: Sequence[Shard],
    world: World,
    *,
    seed: int,
    data: Path | None,
    folders: Mapping[int, Path],
    fitted: Fitted,
    workers: int,
    done: Callable[[int], None],
) -> None:
    """Composes and scores shards; `done` is told the requests of each."""
    with ProcessPoolExecutor(
        max(1, workers), initializer=_begin, initargs=(world, seed, data, folders, fitted)
    ) as pool:
        running = {pool.submit(_score, shard): shard for shard in shards}
        for future in as_completed(running):
            future.result()
            done(running[future].requests)


def _score(shard: Shard) -> None:
    worker = _worker[0]
    missing = set(shard.missing())
    judged = [worker.composition.compose(job) for job in shard.jobs]
    cell, fold = shard.jobs[0].cell, shard.jobs[0].fold
    kept = load_arrays(shard.path)
    wanted = set(shard.keys.values())
    arrays = {name: a for name, a in kept.items() if name.partition("/")[0] in wanted}
    if OURS in missing:
        model = model_of(shard.jobs[0])
        if model not in worker.models:
            worker.models[model] = load_models(worker.folders[model])
        points = score_points(judged, worker.models[model])
        key = shard.keys[OURS]
        for field in Points.__dataclass_fields__:
            arrays[f"{key}/{field}"] = getattr(points, field)
    others = [
        b for b in worker.fitted.get((fold, cell.setting == "literature"), ()) if b.name in missing
    ]
    if others:
        views = [view_of(account.account.requests) for account in judged]
        parts = [[view.first(look) for view in views] for look in cell.looks]
        for baseline in others:
            columns = np.stack([baseline.scores(part) for part in parts], axis=1)
            arrays[f"{shard.keys[baseline.name]}/looks"] = columns
    save_arrays(shard.path, arrays)


def read_points(shard: Shard) -> Points:
    """Our cached scores of a shard."""
    arrays = load_arrays(shard.path)
    key = shard.keys[OURS]
    made = {f: arrays[f"{key}/{f}"] for f in Points.__dataclass_fields__}
    return Points(**made)  # type: ignore[arg-type]


def read_baseline(shard: Shard, name: str) -> NDArray[np.float64]:
    """A baseline's cached scores, shape (accounts, looks)."""
    return np.asarray(load_arrays(shard.path)[f"{shard.keys[name]}/looks"], np.float64)
