"""Tables from made-up scores say what was put into them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.evaluate.estimate import REPORT_S, estimate
from models.evaluate.findings import benign_strata
from models.evaluate.learning_curve import learning_curve
from models.evaluate.months import month_strata, months_table
from models.evaluate.other_bars import other_bars
from models.evaluate.plan import load_plan
from models.evaluate.shards import OURS


def benign(loud: str | None = None) -> pd.DataFrame:
    """4,000 benign accounts of 200 programs in four kinds and two languages; `loud` is a kind that
    scores higher than the rest."""
    rng = np.random.default_rng(1)
    n = 4000
    program = np.arange(n) % 200
    kind = np.array(["chat", "rag", "judge", "code"])[program % 4]
    scores = rng.normal(0.0, 1.0, n) + (4.0 * (kind == loud) if loud else 0.0)
    return pd.DataFrame(
        {
            "setting": "general", "label": "benign", "look": 100, "kind": kind,
            "lang": np.array(["en", "tr"])[program // 4 % 2],
            "program": [f"p{i}" for i in program], "name": [f"a{i}" for i in range(n)],
            "half": program // 8 % 2, OURS: scores,
        }
    )  # fmt: skip


def test_strata_find_the_workload_that_is_accused() -> None:
    """Alike scores give alike rates near the level; a loud workload stands out, in the month too,
    and every account is judged once, by the other half."""
    plan = load_plan()
    calm = {r["name"]: r for r in benign_strata(benign(), plan)}
    assert calm["all"]["accounts"] == 4000
    assert all(0.5 < r["times_pooled"] < 2.0 for r in calm.values())
    assert all(r["inside"] == "yes" for r in month_strata(benign()))
    loud = {r["name"]: r for r in benign_strata(benign("judge"), plan)}
    assert loud["judge"]["times_pooled"] > 3.0
    assert loud["chat"]["value"] == 0.0
    told = {r["workload"]: r["inside"] for r in month_strata(benign("judge"))}
    assert told["judge"] == "no"


def test_months_keep_to_a_budget_that_is_stated() -> None:
    """Exchangeable accounts: about 95 % of the months are inside, whichever way they are split."""
    rows = months_table(benign(), load_plan())
    assert {(r["split by"], r["p ≤"]) for r in rows} == {
        (s, p) for s in ("account", "program") for p in (0.05, 0.01, 0.001)
    }
    assert all(r["months inside"] >= 0.85 for r in rows)


def test_curve_is_by_part_and_look() -> None:
    """A part of the bank that tells the labels apart has a higher AUC than one that does not."""
    rng = np.random.default_rng(2)
    parts = []
    for part, gap in ((0.25, 0.0), (1.0, 3.0)):
        for label, mean in (("benign", 0.0), ("extraction", gap)):
            parts.append(
                pd.DataFrame(
                    {
                        "setting": "templates_bank_only", "label": label, "look": 100,
                        "bank_part": part, OURS: rng.normal(mean, 1.0, 80),
                    }
                )
            )  # fmt: skip
    few, whole = learning_curve(pd.concat(parts), seed=1)
    assert (few["part"], whole["part"]) == (0.25, 1.0)
    assert few["auc"] < 0.65
    assert 0.9 < whole["low"] <= whole["auc"] <= whole["high"]
    assert whole["tpr"] > few["tpr"]


def test_other_bars_go_both_ways() -> None:
    """More is better for what is found, less for who is accused; what was not measured has no
    row."""
    report = {
        "templates": [
            {"by": "all", "trained": "bank alone", "look": 100, "auc": 0.79, "tpr": 0.1},
            {"by": "all", "trained": "other origins too", "look": 20, "auc": 0.5, "tpr": 0.5},
        ],
        "captures": {
            "table": [{"stretch": "x1", "A_throttle": 0.6, "A_watch": 0.7, "B_watch": 0.2}],
            "benign_throttled": ["B_x@1", "B_x@10"],
        },
        "benign_strata": [
            {"by": "lang", "name": "en", "accounts": 500, "times_pooled": 1.1},
            {"by": "lang", "name": "tr", "accounts": 500, "times_pooled": 2.5},
            {"by": "lang", "name": "sw", "accounts": 20, "times_pooled": 9.0},
        ],
        "cases": [
            {"cases": "benign", "mixed_into": 0, "count": 50, "watch": 5, "throttle": 1},
            {"cases": "extraction", "mixed_into": 0, "count": 9, "watch": 7, "throttle": 0,
             "with_cue": 5, "by_cue": 4},
        ],
        "months": [], "reasons": [],
    }  # fmt: skip
    found = {b["what"].split(": ", 1)[-1]: b["reached"] for b in other_bars(report)}
    assert found == {
        "AUC": False, "TPR at 5 %": True, "A_ at throttle within 200": True,
        "A_ at watch within 200": False, "B_ at watch": False, "B_ ever at throttle": True,
        "largest, times the pooled rate": False, "smallest, times the pooled rate": True,
        "benign at throttle": False, "benign at watch": True, "watched by the cue": True,
        "extraction at watch, all cases": False,
    }  # fmt: skip
    nothing = dict.fromkeys(("templates", "benign_strata", "months", "reasons"), ())
    assert other_bars({**nothing, "captures": None, "cases": None}) == []


@pytest.mark.parametrize(("one_copy", "workers"), [(True, 1), (True, 2), (False, 2)])
def test_estimate_is_by_what_is_missing(one_copy: bool, workers: int) -> None:
    """Nothing to do takes the report's own time; models cost less with one copy a program, and
    workers share them."""
    nothing = estimate([], 0, 0, units=1500, one_copy=one_copy, workers=workers)
    assert (nothing.requests, nothing.seconds) == (0, REPORT_S)
    some = estimate([], 4, 0, units=1500, one_copy=one_copy, workers=workers)
    more = estimate([], 4, 0, units=1500, one_copy=False, workers=1)
    assert REPORT_S < some.seconds <= more.seconds
    small = estimate([], 4, 0, units=150, one_copy=one_copy, workers=workers)
    assert small.seconds < some.seconds
