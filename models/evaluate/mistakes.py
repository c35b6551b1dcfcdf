"""The worst mistakes with what spoke for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from detector.pipeline import load_models
from models.evaluate.findings import Row
from models.evaluate.shards import OURS, Shard, read_points
from models.evaluate.units import TEST

EACH = 5
MOST_READINGS = 6


def worst_mistakes(
    frame: pd.DataFrame, shards: Sequence[Shard], folders: Mapping[int, Path]
) -> list[Row]:
    """The benign test accounts that score highest and the pure harvests that score lowest, one a
    program, after 100 requests in the general setting."""
    part = frame[(frame.setting == "general") & (frame.look == 100) & (frame.evasion == "none")]
    benign = part[(part.label == "benign") & (part.half == TEST)].sort_values(
        [OURS, "name"], ascending=[False, True]
    )
    attack = part[(part.label == "extraction") & (part.share == 1.0)].sort_values([OURS, "name"])
    out: list[Row] = []
    for what, some in (("benign, scored high", benign), ("harvest, scored low", attack)):
        for row in some.drop_duplicates("program").head(EACH).to_dict("records"):
            vector = read_points(shards[int(row["shard"])]).best[int(row["row"])]
            scorer = load_models(folders[int(row["fold"])]).scorer
            if np.isnan(vector).all():
                readings: list[Row] = []
            else:
                readings = [
                    {
                        "group": g.name, "contribution": round(g.contribution, 2),
                        "features": {r.name: round(r.value, 3) for r in g.readings},
                    }
                    for g in sorted(
                        scorer.explain(vector[None])[0], key=lambda g: -abs(g.contribution)
                    )
                    if g.known
                ][:MOST_READINGS]  # fmt: skip
            out.append(
                {
                    "mistake": what, "program": row["program"], "family": row["family"],
                    "lang": row["lang"], "score": _finite(row[OURS]), "groups": readings,
                }
            )  # fmt: skip
    return out


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
