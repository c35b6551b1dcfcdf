"""The stages: parts are composed and watched, the baselines' thresholds set, worlds judged.

Each stage is kept by the content of what decides it, so a run that was stopped goes on where it
was, and a change of the cohort book composes nothing anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from detector.pipeline import Models, load_models
from detector.policy import Policy, default_policy_path, load_policy
from models.campaigns.draw import Draw, Part, parts_of, plant
from models.campaigns.figures import Row, world_figures
from models.campaigns.judge import judge
from models.campaigns.plan import CampaignPlan
from models.campaigns.rivals import RIVALS, threshold
from models.campaigns.watch import load_trace, save_trace, watch
from models.campaigns.worlds import World, make_world
from models.evaluate.cache import code_digest, digest, file_digest

T = TypeVar("T")
R = TypeVar("R")


class Progress(Protocol):
    """Told of every stage: its name, and how much of how much is done."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be evaluated.

    Attributes:
        plan: at the scale asked for. models: folder of the shipped models. cache: of stages.
        tuning: also report our figures on the tuning draw, in place of the report's.
    """

    plan: CampaignPlan
    models: Path
    cache: Path
    workers: int
    tuning: bool = False


def evaluate_campaigns(order: Order, progress: Progress) -> list[Row]:
    """Figures of every world; see `world_figures`."""
    plan = order.plan
    tuning = parts_of(plan, "tuning")
    innocent = [part for part in tuning if part.kind != "campaign"]
    parts = tuning if order.tuning else innocent + parts_of(plan, "report")
    paths = trace_paths(order, parts)
    missing = [part for part in parts if not paths[part.name, part.draw].exists()]
    total = sum(part.accounts for part in missing)
    done = 0
    progress("accounts composed and watched", 0, max(total, 1))
    # the largest first, so that no worker is left alone with one at the end
    missing.sort(key=lambda part: -part.accounts * max(part.each, 20))
    for part in _spread(order, partial(_watch, order, paths), missing):
        done += part.accounts
        progress("accounts composed and watched", done, total)
    progress("thresholds of the baselines", 0, 1)
    limits = _limits(order, paths, innocent)
    progress("thresholds of the baselines", 1, 1)
    draw: Draw = "tuning" if order.tuning else "report"
    worlds = _worlds([p for p in parts if p.draw == draw])
    figures: list[Row] = []
    progress("worlds judged", 0, len(worlds))
    for made in _spread(order, partial(_judge, order, paths, limits), worlds):
        figures.append(made)
        progress("worlds judged", len(figures), len(worlds))
    return sorted(figures, key=lambda row: int(row["world"]))


Paths = Mapping[tuple[str, Draw], Path]


def trace_paths(order: Order, parts: Sequence[Part]) -> dict[tuple[str, Draw], Path]:
    """Where each part's trace is kept: named by all that decides it."""
    models = [(p.name, file_digest(p)) for p in sorted(order.models.iterdir()) if p.is_file()]
    made = code_digest(["models.campaigns.watch"]), file_digest(default_policy_path()), models
    folder = order.cache / "traces"
    return {
        (part.name, part.draw): folder / f"{digest(made, part, order.plan.seed)}.npz"
        for part in parts
    }


def _spread(order: Order, work: Callable[[T], R], over: Sequence[T]) -> Iterable[R]:
    """Results as they come, from processes that keep to one thread each."""
    if not over:
        return
    with ProcessPoolExecutor(
        max(1, order.workers), initializer=threadpool_limits, initargs=(1,)
    ) as pool:
        for future in as_completed([pool.submit(work, one) for one in over]):
            yield future.result()


_loaded: list[tuple[Models, Policy]] = []
"""What this process watches with; loaded once."""


def _watch(order: Order, paths: Paths, part: Part) -> Part:
    if not _loaded:
        _loaded.append((load_models(order.models), load_policy(default_policy_path())))
    save_trace(paths[part.name, part.draw], watch(part, order.plan.seed, *_loaded[0]))
    return part


def _worlds(parts: Sequence[Part]) -> list[tuple[Part, ...]]:
    """Parts of each world; strangers are in all."""
    numbers = sorted({p.world for p in parts if p.world is not None})
    return [tuple(p for p in parts if p.world is None or p.world == n) for n in numbers]


def _load(paths: Paths, parts: Sequence[Part]) -> World:
    return make_world(parts, [load_trace(paths[p.name, p.draw]) for p in parts])


def _limits(order: Order, paths: Paths, parts: Sequence[Part]) -> dict[str, float]:
    key = digest(
        code_digest(["models.campaigns.rivals"]), [str(paths[p.name, p.draw]) for p in parts]
    )
    path = order.cache / "limits" / f"{key}.json"
    if not path.exists():
        world = _load(paths, parts)
        made = {name: threshold(score(world), world) for name, score in RIVALS.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made), "utf-8")
    limits: dict[str, float] = json.loads(path.read_text("utf-8"))
    return limits


def _judge(order: Order, paths: Paths, limits: Mapping[str, float], parts: tuple[Part, ...]) -> Row:
    code = code_digest(["models.campaigns.figures"])
    key = digest(code, sorted(limits.items()), [str(paths[p.name, p.draw]) for p in parts])
    path = order.cache / "worlds" / f"{key}.json"
    if not path.exists():
        world = _load(paths, parts)
        planted = {p.name: plant(p, order.plan.seed) for p in parts if p.kind != "strangers"}
        rivals = {name: score(world) for name, score in RIVALS.items()}
        made = world_figures(world, planted, judge(world), rivals, limits)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made), "utf-8")
    figures: Row = json.loads(path.read_text("utf-8"))
    return figures
