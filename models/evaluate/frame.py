"""All scores as one table: a row for every account and look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models.evaluate.shards import OURS, Shard, read_baseline, read_points


def frame_of(shards: Sequence[Shard]) -> pd.DataFrame:
    """What was composed and how each detector scored it.

    Columns: setting, label, requests, look, share, evasion, bank_part, program, family, kind, lang,
    source, half, fold, name, shard, row (where the account stands in its shard), and one of scores
    for every detector (-inf where it never scored the account, NaN where it was not asked).
    """
    parts = []
    for number, shard in enumerate(shards):
        cell = shard.jobs[0].cell
        base = pd.DataFrame(
            {
                "setting": cell.setting,
                "label": cell.label,
                "requests": cell.requests,
                "share": cell.share,
                "evasion": cell.evasion,
                "bank_part": cell.bank_part,
                "program": [j.unit.program.id for j in shard.jobs],
                "family": [j.unit.family for j in shard.jobs],
                "kind": [j.unit.program.kind for j in shard.jobs],
                "lang": [j.unit.program.lang for j in shard.jobs],
                "source": [j.unit.source for j in shard.jobs],
                "half": [j.half for j in shard.jobs],
                "fold": [j.fold for j in shard.jobs],
                "name": [j.name for j in shard.jobs],
                "shard": number,
                "row": np.arange(len(shard.jobs)),
            }
        )
        points = read_points(shard)
        others = {d: read_baseline(shard, d) for d in shard.keys if d != OURS}
        for column, look in enumerate(cell.looks):
            scores = {OURS: points.running_max(len(base), look)}
            scores |= {d: values[:, column] for d, values in others.items()}
            parts.append(base.assign(look=look, **scores))
    return pd.concat(parts, ignore_index=True)


def cut_by(frame: pd.DataFrame, *columns: str) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """(values, rows) for every combination of the columns' values, in their order."""
    for values, part in frame.groupby(list(columns)):
        yield tuple(values), part
