"""Rotation over captured tools: train without a tool, then judge that tool's own traffic.

A tool's twins, shards and sister runs are left out with it. The judged accounts go through the
whole pipeline with the shipped policy, at the speeds they were captured and stretched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from detector.levels import RANK, Level
from detector.partition import PartitionSettings
from detector.pipeline import Pipeline, load_models
from detector.policy import Policy, default_policy_path, load_policy
from models.accounts import CAPTURE_REQUESTS, STRETCHES, Account, capture_accounts
from models.train import train_on
from models.workshop import gather
from streams.intake import IntakeSettings
from streams.log import LogRecord


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one captured account.

    Attributes:
        tool: the tool left out of training. name: capture file. label: 1 for `A_`, 0 for `B_`.
        factor: how much its times were stretched.
        watch_at, throttle_at: requests at the first verdict of that step or above, or None.
        score: largest score at a scoring point.
    """

    tool: str
    name: str
    label: int
    factor: float
    watch_at: int | None
    throttle_at: int | None
    score: float


def rotate(
    data: Path,
    captures: Path,
    seed: int,
    *,
    workers: int,
    done: Callable[[str, int, int], None],
    only: Sequence[str] = (),
    models: Path | None = None,
    encoder: Path | None = None,
) -> list[Outcome]:
    """Outcomes of all captured accounts, each judged by a model that never saw its tool.

    `done` is called with tool, number done and number of tools. `only` names some tools. `models`
    is a folder where the rotated models are kept; those found there are used again. `encoder` is
    the folder of the built prompt encoder; without it nothing is encoded.
    """
    policy = load_policy(default_policy_path())
    material = gather(data, captures, seed, lambda text: None, thin=True, encoder=encoder)
    captured = capture_accounts(captures, limit=None)
    tools = sorted({a.batch for a in captured})
    tools = [t for t in tools if not only or t in only]
    outcomes: list[Outcome] = []
    shared = material, captured, policy, seed, models, encoder
    # handed over once a process, not once a tool: heads fitted for one tool serve the next
    with ProcessPoolExecutor(workers, initializer=_SHARED.extend, initargs=(shared,)) as pool:
        found = pool.map(_leave_out, tools)
        for number, (tool, mine) in enumerate(zip(tools, found, strict=True)):
            outcomes += mine
            done(tool, number + 1, len(tools))
    return outcomes


_SHARED: list[Any] = []
"""Of a process of the rotation: material, captured accounts, policy, seed, model folder and folder
of the encoder."""


def _leave_out(tool: str) -> list[Outcome]:
    material, captured, policy, seed, models, encoder = _SHARED
    mine = [a for a in captured if a.batch == tool]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) if models is None else models / tool
        if not (folder / "cues.json").exists():
            train_on(
                material, folder, version=f"without-{tool}", seed=seed,
                step=lambda text: None, left_out=f"tool {tool}",
            )  # fmt: skip
        return judge(mine, folder, policy, encoder)


def judge(
    accounts: Iterable[Account], model_dir: Path, policy: Policy, encoder: Path | None = None
) -> list[Outcome]:
    """Runs each account alone through the pipeline."""
    models = load_models(model_dir, encoder=encoder)
    out = []
    for account in accounts:
        pipeline = Pipeline(models, policy, PartitionSettings(intake=IntakeSettings("native")))
        records = [
            LogRecord("llm.requests", 0, i, None, msgspec.json.encode(r), r.event_time_s or 0.0)
            for i, r in enumerate(account.requests)
        ]
        result = pipeline.process(records)
        result.add(pipeline.finish())

        def first(level: Level) -> int | None:
            hits = [
                c.account_requests
                for c in result.verdicts  # noqa: B023  (called at once)
                if not c.suppressed and RANK[c.to_level] >= RANK[level]
            ]
            return min(hits, default=None)

        factor = float(account.name.partition("@")[2] or 1.0)
        score = max((s.score for s in result.scores), default=0.0)
        out.append(
            Outcome(
                account.batch, account.group, account.label, factor,
                first("watch"), first("throttle"), score,
            )
        )  # fmt: skip
    return out


def table(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """One row a stretch: shares of accounts reached, averaged over tools.

    `A_` accounts count when reached within CAPTURE_REQUESTS requests, `B_` ones whenever reached.
    """
    rows: list[dict[str, object]] = []
    for factor in STRETCHES:
        mine = [o for o in outcomes if o.factor == factor]
        row: dict[str, object] = {"stretch": f"x{factor:g}"}
        for label, name in ((1, "A"), (0, "B")):
            for step in ("watch", "throttle"):
                row[f"{name}_{step}"] = _over_tools(mine, label, step)
            row[f"{name}_tools"] = len({o.tool for o in mine if o.label == label})
            row[f"{name}_accounts"] = sum(o.label == label for o in mine)
        rows.append(row)
    return rows


def _over_tools(outcomes: Sequence[Outcome], label: int, step: str) -> float:
    by_tool: dict[str, list[bool]] = {}
    for o in outcomes:
        if o.label == label:
            reached = o.throttle_at if step == "throttle" else o.watch_at
            in_time = reached is not None and (label == 0 or reached <= CAPTURE_REQUESTS)
            by_tool.setdefault(o.tool, []).append(in_time)
    shares = [sum(v) / len(v) for v in by_tool.values()]
    return round(sum(shares) / max(len(shares), 1), 3)
