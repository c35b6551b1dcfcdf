"""Whether more of the bank still pays: models of its parts, judged on the public templates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.evaluate.findings import TEMPLATE_RATE, Row
from models.evaluate.frame import cut_by
from models.evaluate.measure import auc, threshold
from models.evaluate.shards import OURS

RESAMPLES = 200


def learning_curve(frame: pd.DataFrame, seed: int) -> list[Row]:
    """AUC and TPR at TEMPLATE_RATE by the part of the bank trained on, with the 95 % interval of
    the AUC by resampling templates. Nothing but the bank was trained on."""
    out = []
    part = frame[frame.setting == "templates_bank_only"]
    for (share, look), mine in cut_by(part, "bank_part", "look"):
        benign = mine[mine.label == "benign"][OURS].to_numpy(np.float64)
        attack = mine[mine.label == "extraction"][OURS].to_numpy(np.float64)
        limit = threshold(benign, TEMPLATE_RATE)
        if not len(attack) or not len(benign):
            continue
        rng = np.random.default_rng([seed, int(look)])
        drawn = [
            auc(rng.choice(attack, len(attack)), rng.choice(benign, len(benign)))
            for _ in range(RESAMPLES)
        ]
        low, high = np.quantile(drawn, [0.025, 0.975])
        out.append(
            {
                "part": float(share), "look": int(look), "auc": round(auc(attack, benign), 4),
                "low": round(float(low), 4), "high": round(float(high), 4),
                "tpr": None if limit is None else round(float((attack > limit).mean()), 4),
            }
        )  # fmt: skip
    return out
