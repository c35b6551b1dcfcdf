"""False alarms of simulated months of benign accounts against the budget that was set."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.evaluate.findings import Row
from models.evaluate.measure import p_values
from models.evaluate.plan import Plan
from models.evaluate.shards import OURS
from models.evaluate.units import CALIBRATION, TEST
from models.simulated_month import MONTH_ACCOUNTS, month_interval, simulate_months

MOST_SPLITS = 200
P_VALUES = (0.05, 0.01, 0.001)


def months_table(frame: pd.DataFrame, plan: Plan) -> list[Row]:
    """Months of 30,000 benign accounts of 100 requests, by how calibration and month are split.

    "account": both hold accounts of the same programs, as an operator's own calibration does.
    "program": the month's accounts run programs that calibration never saw.
    """
    benign = _benign(frame)
    scores = benign[OURS].to_numpy(np.float64)
    out = []
    for split in ("account", "program"):
        units = benign["name" if split == "account" else "program"].to_numpy(str)
        for p_value in P_VALUES:
            if len(scores) // 2 * p_value < 1.0:
                continue
            found = simulate_months(scores, units, p_value, months=MOST_SPLITS, seed=plan.seed)
            out.append(
                {
                    "split by": split, "p ≤": p_value, "budget": round(found.budget, 1),
                    "alarms": round(found.mean, 1), "months inside": round(found.inside, 3),
                }
            )  # fmt: skip
    return out


def month_strata(frame: pd.DataFrame) -> list[Row]:
    """One such month by workload at p ≤ .01: alarms against the 95 % interval of its own share of
    the budget, calibration and month of different programs."""
    benign = _benign(frame)
    calibration = benign[benign.half == CALIBRATION][OURS].to_numpy(np.float64)
    test = benign[benign.half == TEST]
    p_value = 0.01
    if len(calibration) * p_value < 1.0 or test.empty:
        return []
    hit = p_values(calibration, test[OURS].to_numpy(np.float64)) <= p_value
    out = []
    for kind in sorted(set(test.kind.tolist())):
        mine = (test.kind == kind).to_numpy(np.bool_)
        accounts = max(1, round(MONTH_ACCOUNTS * float(mine.mean())))
        low, high = month_interval(p_value, len(calibration), int(mine.sum()), accounts)
        alarms = round(float(hit[mine].mean()) * accounts)
        out.append(
            {
                "workload": kind, "accounts of the month": accounts, "measured on": int(mine.sum()),
                "programs": int(test[mine].program.nunique()),
                "budget": round(p_value * accounts, 1), "alarms": alarms,
                "interval": f"{low} to {high}", "inside": "yes" if low <= alarms <= high else "no",
            }
        )  # fmt: skip
    return out


def _benign(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame.setting == "general") & (frame.label == "benign") & (frame.look == 100)]
