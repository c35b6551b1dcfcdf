"""The stages of an evaluation: fold models, baselines, shards of accounts, the report.

Each stage is cached by the content of what decides it, so a run that was stopped goes on where it
was, and a second run only reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.baselines import BASELINES
from models.baselines.baseline import Baseline
from models.evaluate.bars import bars_table
from models.evaluate.cache import READERS, code_digest, data_digest, digest, files_digest
from models.evaluate.compose import Job, jobs_of
from models.evaluate.estimate import Estimate, estimate
from models.evaluate.field import judge_captures, judge_cases
from models.evaluate.findings import (
    Row,
    alarm_table,
    benign_strata,
    cells_table,
    false_positive_table,
    family_table,
    precision_table,
    reliability,
    set_thresholds,
    templates_table,
)
from models.evaluate.fitting import fit_baselines, training_accounts
from models.evaluate.fold_models import (
    LITERATURE,
    Folders,
    is_trained,
    model_folders,
    model_of,
    tool_models,
    train_folds,
    unseen,
)
from models.evaluate.frame import frame_of
from models.evaluate.learning_curve import learning_curve
from models.evaluate.mistakes import worst_mistakes
from models.evaluate.months import month_strata, months_table
from models.evaluate.named_reasons import reasons_table
from models.evaluate.other_bars import other_bars
from models.evaluate.plan import Plan, cells
from models.evaluate.shards import OURS, Fitted, Shard, cut, score_shards
from models.evaluate.units import BANK_PARTS, World, read_world


class Progress(Protocol):
    """Told of every stage: its name, and how much of how much is done."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be evaluated.

    Attributes:
        scale: part of the plan's accounts, in (0, 1].
        cases: field cases, or None. shipped: models that judge them.
    """

    plan: Plan
    folders: Folders
    scale: float
    workers: int
    cases: Path | None
    shipped: Path


def evaluate(
    order: Order, progress: Progress, foretell: Callable[[Estimate], None] = lambda told: None
) -> Row:
    """Runs every stage that is not cached and returns the report as plain data; `foretell` is told
    beforehand what there is to do."""
    plan, folders = order.plan, order.folders
    thin = order.scale < plan.thin_below
    one_copy = order.scale < plan.one_copy_below
    world = read_world(
        folders.judged,
        folds=plan.thin_folds if thin else plan.folds,
        hold_out=plan.hold_out,
        every=plan.thin_every if thin else 1,
    )
    jobs = [job for cell in cells(plan, order.scale) for job in jobs_of(cell, world, plan.seed)]
    wanted = model_folders(
        world,
        folders,
        sorted({model_of(job) for job in jobs}) + tool_models(world, folders.captures),
        seed=plan.seed,
        thin=one_copy,
    )
    shards = _shards(order, world, wanted, jobs)
    todo = [shard for shard in shards if shard.missing()]
    needed = wanted if todo or folders.captures is not None else {}
    untrained = sum(not is_trained(path) for path in needed.values())
    foretell(
        estimate(
            todo, untrained, len(_fits(todo)), units=len(world.units), one_copy=one_copy,
            workers=order.workers,
        )
    )  # fmt: skip
    _train(order, world, needed, one_copy, progress)
    if todo:
        _score(order, world, wanted, todo, progress)
    progress("report", 0, 1)
    report = _report(order, world, wanted, shards)
    progress("report", 1, 1)
    return report


def _shards(
    order: Order, world: World, wanted: Mapping[int, Path], jobs: Sequence[Job]
) -> list[Shard]:
    plan, folders = order.plan, order.folders
    traffic = digest(
        code_digest(["models.evaluate.compose"], READERS), data_digest(folders.judged), plan.seed,
        sorted(u.unit for u in world.units),
    )  # fmt: skip
    shared = digest(
        data_digest(folders.training),
        files_digest(
            "models/baselines/view.py", "models/baselines/baseline.py",
            "models/evaluate/fitting.py", "models/evaluate/reference.py",
            "detector/fingerprint.py", "detector/tokens.py",
        ),
    )  # fmt: skip
    own = {b.name: files_digest(b.__module__.replace(".", "/") + ".py") for b in BASELINES}
    ours = (
        code_digest(["models.vectors", "detector.scorer"]),
        files_digest("models/evaluate/ours.py"),
    )

    def keys(fold: int, literature: bool) -> dict[str, str]:
        without = digest(sorted(unseen(world, folders, fold)))
        model = fold + LITERATURE if literature else fold
        found = {OURS: digest(OURS, ours, wanted[model].name)}
        if BANK_PARTS.get(fold, 1.0) < 1.0:  # the learning curve is ours alone
            return found
        for name, code in own.items():
            found[name] = digest(name, code, shared, traffic, without, literature)
        return found

    return cut(jobs, folders.cache, traffic, keys)


def _train(
    order: Order, world: World, wanted: Mapping[int, Path], thin: bool, progress: Progress
) -> None:
    told: list[int] = []

    def done(fold: int) -> None:
        told.append(fold)
        progress("models without their fold", len(told), len(wanted))

    if wanted:
        progress("models without their fold", 0, len(wanted))
        train_folds(
            world, order.folders, wanted, seed=order.plan.seed, thin=thin,
            workers=order.workers, done=done,
        )  # fmt: skip


def _score(
    order: Order,
    world: World,
    wanted: Mapping[int, Path],
    todo: Sequence[Shard],
    progress: Progress,
) -> None:
    seed, folders = order.plan.seed, order.folders
    tasks = _fits(todo)
    fitted: dict[tuple[int, bool], Sequence[Baseline]] = {}
    by_fold = sorted({fold for fold, _ in tasks})
    fit = partial(_fit, world, folders, seed, tasks)
    with ProcessPoolExecutor(
        max(1, order.workers), initializer=threadpool_limits, initargs=(1,)
    ) as pool:
        progress("baselines", 0, len(by_fold))
        for number, found in enumerate(pool.map(fit, by_fold), 1):
            fitted |= found
            progress("baselines", number, len(by_fold))
    total = sum(s.requests for s in todo)
    made = 0

    def done(requests: int) -> None:
        nonlocal made
        made += requests
        progress("requests composed and scored", made, total)

    progress("requests composed and scored", 0, total)
    score_shards(
        todo, world, seed=seed, data=folders.judged, folders=wanted, fitted=fitted,
        workers=order.workers, done=done,
    )  # fmt: skip


def _fits(todo: Sequence[Shard]) -> list[tuple[int, bool]]:
    """(fold, literature setting or not) for which baselines are to be fitted."""
    found = (
        (s.jobs[0].fold, s.jobs[0].cell.setting == "literature")
        for s in todo
        if set(s.missing()) - {OURS}
    )
    return sorted(set(found))


def _fit(
    world: World, folders: Folders, seed: int, tasks: Sequence[tuple[int, bool]], fold: int
) -> Fitted:
    without = unseen(world, folders, fold)
    accounts = training_accounts(world, without, seed=seed, data=folders.training)
    return {
        task: fit_baselines(accounts, world, literature=task[1], seed=seed, data=folders.training)
        for task in tasks
        if task[0] == fold
    }


def _report(order: Order, world: World, wanted: Mapping[int, Path], shards: Sequence[Shard]) -> Row:
    plan = order.plan
    frame = frame_of(shards)
    detectors = [OURS, *(b.name for b in BASELINES)]
    limits = set_thresholds(frame, detectors, plan)
    found = cells_table(frame, detectors, limits, plan)
    costs = false_positive_table(frame, detectors, limits, plan)
    # the learning curve judges the same accounts again
    jobs = [job for shard in shards for job in shard.jobs if job.cell.bank_part == 1.0]
    report: Row = {
        "scale": order.scale,
        "note": _note(order),
        "hold_out": plan.hold_out,
        "rates": list(plan.rates),
        "detectors": detectors,
        "accounts": len(jobs),
        "benign_accounts": sum(job.cell.label == "benign" for job in jobs),
        "requests": sum(job.cell.requests for job in jobs),
        "bars": bars_table(found, costs),
        "cells": found,
        "false_positives": costs,
        "families": family_table(frame, limits, plan),
        "to_alarm": alarm_table(frame, shards, limits, plan),
        "precision": precision_table(found, costs),
        "benign_strata": benign_strata(frame, plan),
        "months": months_table(frame, plan),
        "month_strata": month_strata(frame),
        "reasons": reasons_table(frame, shards, limits, wanted),
        "templates": templates_table(frame),
        "learning_curve": learning_curve(frame, plan.seed),
        "mistakes": worst_mistakes(frame, shards, wanted),
        "reliability": reliability(frame, limits),
        "captures": None,
        "cases": None,
    }
    if order.folders.captures is not None:
        report["captures"] = _captures(order.folders.captures, order.folders.cache, world, wanted)
    if order.cases is not None:
        report["cases"] = judge_cases(order.cases, order.shipped)
    report["other_bars"] = other_bars(report)
    return report


def _captures(captures: Path, cache: Path, world: World, wanted: Mapping[int, Path]) -> Row:
    code = code_digest(["models.evaluate.field"]), files_digest("detector/policies/default.toml")
    key = digest(
        code, data_digest(captures), [wanted[m].name for m in tool_models(world, captures)]
    )
    path = cache / "captures" / f"{key}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(judge_captures(captures, world, wanted)), "utf-8")
    found: Row = json.loads(path.read_text("utf-8"))
    return found


def _note(order: Order) -> str:
    said = []
    if order.folders.judged is None:
        said.append("There was no data folder: bank and corpus alone.")
    if order.scale < order.plan.one_copy_below:
        said.append(
            "Models of this run learnt from one account a program, at full scale it is three."
        )
    if order.scale < order.plan.thin_below:
        said.append(
            "This is a thin run with few programs and folds: it shows that the protocol runs, its "
            "figures mean nothing."
        )
    return " ".join(said)
