"""Whether an alert names what was planted: the group that spoke loudest, by attack family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from detector.pipeline import load_models
from models.evaluate.findings import Row, Thresholds
from models.evaluate.frame import cut_by
from models.evaluate.shards import OURS, Shard, read_points

RATE = 0.01
"""Accounts that are alarmed at this account-FPR are asked for their reason."""

_TASK = frozenset({"intent", "template", "frames", "diversity", "harvest"})
PLANTED: Mapping[str, frozenset[str]] = MappingProxyType(
    {"trace": frozenset({"intent", "template", "frames"}), "logit": frozenset({"harvest"})}
)
"""Family -> feature groups that see what was planted: wording for traces, probing for logits; of
the others the task (wording, system prompt, frame) or how it is taken (items, answers) is right,
and rhythm, networks or the kind of use are not."""


def reasons_table(
    frame: pd.DataFrame, shards: Sequence[Shard], limits: Thresholds, folders: Mapping[int, Path]
) -> list[Row]:
    """One row a family, and all together: pure harvests alarmed after 100 requests, and the share
    whose loudest group is one that sees what was planted."""
    limit = limits.at("general", 100, OURS, RATE)
    cell = frame[
        (frame.setting == "general") & (frame.label == "extraction") & (frame.look == 100)
        & (frame.share == 1.0) & (frame.evasion == "none")
    ]  # fmt: skip
    if limit is None:
        return []
    alarmed = cell[cell[OURS] > limit]
    told: dict[str, list[str]] = {}
    for (fold,), part in cut_by(alarmed, "fold"):
        scorer = load_models(folders[int(fold)]).scorer
        points = {int(s): read_points(shards[int(s)]) for s in part.shard.unique()}
        vectors = np.stack(
            [points[s].best[r] for s, r in zip(part.shard.tolist(), part.row.tolist(), strict=True)]
        )
        for kind, groups in zip(part.kind.tolist(), scorer.explain(vectors), strict=True):
            known = [g for g in groups if g.known]
            if known:
                top = max(known, key=lambda g: g.contribution)
                told.setdefault(str(kind), []).append(top.name)
    if not told:
        return []
    rows = [_row(kind, [(kind, n) for n in names]) for kind, names in sorted(told.items())]
    return [_row("all", [(k, n) for k, names in told.items() for n in names]), *rows]


def _row(family: str, named: Sequence[tuple[str, str]]) -> Row:
    right = [name in PLANTED.get(kind, _TASK) for kind, name in named]
    common = Counter(name for _, name in named).most_common(3)
    return {
        "family": family, "alarmed": len(named), "right": round(float(np.mean(right)), 4),
        "named": ", ".join(f"{name} {count}" for name, count in common),
    }  # fmt: skip
