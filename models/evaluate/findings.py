"""From scores to what the report says: every table as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.evaluate.frame import cut_by
from models.evaluate.measure import RULE_OF_THREE, auc, p_values, rate_of, share_above, threshold
from models.evaluate.plan import Plan
from models.evaluate.shards import OURS, Shard, read_points
from models.evaluate.units import CALIBRATION, TEST

Row = dict[str, Any]
SHIPPED_LEVEL = 0.05
"""Alarm rates by workload and language are told at this p-value."""

POPULATION, ATTACKERS = 1_000_000, 1_000
COUNTED_AT = (20, 50, 100, 200, 500, 1000)
TEMPLATE_RATE = 0.05
BAG_OF_WORDS = "bag of words"
SHARED_LOOKS = ("general", "literature", "matched")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds of every detector, by setting, look and rate; None where it cannot be stated."""

    of: Mapping[tuple[str, int, str, float], float | None]
    calibration: Mapping[tuple[str, int, str], np.ndarray[Any, np.dtype[np.float64]]]

    def at(self, setting: str, look: int, detector: str, rate: float) -> float | None:
        """The threshold; settings without benign accounts of their own use the general ones."""
        home = setting if setting in SHARED_LOOKS else "general"
        return self.of.get((home, look, detector, rate))


def set_thresholds(frame: pd.DataFrame, detectors: Sequence[str], plan: Plan) -> Thresholds:
    """Thresholds from the benign calibration accounts alone."""
    of: dict[tuple[str, int, str, float], float | None] = {}
    tables: dict[tuple[str, int, str], Any] = {}
    benign = frame[(frame.label == "benign") & (frame.half == CALIBRATION)]
    for (setting, look), part in cut_by(benign, "setting", "look"):
        for detector in detectors:
            scores = part[detector].to_numpy(np.float64)
            tables[str(setting), int(look), detector] = scores
            for rate in plan.rates:
                of[str(setting), int(look), detector, rate] = threshold(scores, rate)
    return Thresholds(of, tables)


def cells_table(
    frame: pd.DataFrame, detectors: Sequence[str], limits: Thresholds, plan: Plan
) -> list[Row]:
    """TPR of every detector in every cell, at every rate."""
    attack = frame[(frame.label != "benign") & frame.setting.isin([*SHARED_LOOKS, "depends"])]
    out = []
    keys = ["setting", "look", "share", "evasion"]
    for (setting, look, share, evasion), part in cut_by(attack, *keys):
        row: Row = {
            "setting": setting, "look": int(look), "share": float(share), "evasion": evasion,
            "accounts": len(part), "programs": int(part.program.nunique()),
        }  # fmt: skip
        row["tpr"] = {d: _rates(part, d, limits, plan, str(setting), int(look)) for d in detectors}
        out.append(row)
    return out


def _rates(
    part: pd.DataFrame, detector: str, limits: Thresholds, plan: Plan, setting: str, look: int
) -> dict[str, Row | None]:
    found: dict[str, Row | None] = {}
    for rate in plan.rates:
        limit = limits.at(setting, look, detector, rate)
        found[f"{rate:g}"] = None if limit is None or part.empty else share_above(
            part[detector].to_numpy(np.float64), limit, part.program.tolist(),
            resamples=plan.bootstrap, seed=plan.seed,
        ).row()  # fmt: skip
    return found


def false_positive_table(
    frame: pd.DataFrame, detectors: Sequence[str], limits: Thresholds, plan: Plan
) -> list[Row]:
    """What the thresholds really cost on benign test accounts, which never set one."""
    out = []
    benign = frame[(frame.label == "benign") & frame.setting.isin(SHARED_LOOKS)]
    for (setting, look), part in cut_by(benign, "setting", "look"):
        test, calibration = part[part.half == TEST], part[part.half == CALIBRATION]
        programs = int(min(test.program.nunique(), calibration.program.nunique()))
        row: Row = {
            "setting": setting, "look": int(look), "calibration_accounts": len(calibration),
            "test_accounts": len(test), "programs": programs,
            "composed_only_below": RULE_OF_THREE / max(programs, 1),
        }  # fmt: skip
        row["fpr"] = {d: _rates(test, d, limits, plan, str(setting), int(look)) for d in detectors}
        out.append(row)
    return out


def family_table(frame: pd.DataFrame, limits: Thresholds, plan: Plan) -> list[Row]:
    """Our TPR by attack family at 100 % and 25 % share, and by source of the program."""
    out = []
    cell = frame[
        (frame.label == "extraction") & (frame.setting == "general") & (frame.look == 100)
        & (frame.evasion == "none")
    ]  # fmt: skip
    for by in ("kind", "source", "lang"):
        for (name, share), part in cut_by(cell, by, "share"):
            if share not in (1.0, 0.25):
                continue
            row = {"by": by, "name": name, "share": float(share), "accounts": len(part)}
            row |= {"programs": int(part.program.nunique())}
            row["tpr"] = _rates(part, OURS, limits, plan, "general", 100)
            out.append(row)
    return out


def benign_strata(frame: pd.DataFrame, plan: Plan) -> list[Row]:
    """Alarms at p ≤ SHIPPED_LEVEL of benign accounts, by workload and by language.

    Each half of the programs is judged by a calibration on the other.
    """
    benign = frame[
        (frame.label == "benign") & (frame.setting == "general") & (frame.look == 100)
    ]  # fmt: skip
    test = (benign.half == TEST).to_numpy(np.bool_)
    scores = benign[OURS].to_numpy(np.float64)
    if not test.any() or test.all():
        return []
    hit = np.zeros(len(scores), np.bool_)
    for mine in (test, ~test):
        hit[mine] = p_values(scores[~mine], scores[mine]) <= SHIPPED_LEVEL
    out = []
    pooled = float(hit.mean())
    for by in ("all", "kind", "lang"):
        names = np.full(len(benign), "all") if by == "all" else benign[by].to_numpy(str)
        for name in sorted(set(names.tolist())):
            mine = names == name
            found = rate_of(
                hit[mine], benign.program[mine].tolist(), resamples=plan.bootstrap, seed=plan.seed
            )
            out.append(
                {
                    "by": by, "name": name, "accounts": found.accounts, "programs": found.programs,
                    **found.row(), "times_pooled": round(found.value / max(pooled, 1e-9), 2),
                }
            )  # fmt: skip
    return out


def alarm_table(
    frame: pd.DataFrame, shards: Sequence[Shard], limits: Thresholds, plan: Plan
) -> list[Row]:
    """Requests to the first alarm and exchanges harvested before it, in the general setting."""
    out = []
    attack = frame[
        (frame.label == "extraction") & (frame.setting == "general")
        & (frame.look == frame.requests)
    ]  # fmt: skip
    points = {int(s): read_points(shards[int(s)]) for s in attack.shard.unique()}
    for (requests, share, evasion), part in cut_by(attack, "requests", "share", "evasion"):
        for rate in plan.rates:
            limit = limits.at("general", int(requests), OURS, rate)
            if limit is None:
                continue
            at, leaked = [], []
            for shard, row in zip(part.shard.tolist(), part.row.tolist(), strict=True):
                found = points[shard]
                mine = found.account == row
                hits = np.flatnonzero(mine & (found.score > limit))
                first = hits[np.argmin(found.requests[hits])] if len(hits) else None
                at.append(np.inf if first is None else float(found.requests[first]))
                taken = found.harvested[row] if first is None else found.taken[first]
                leaked.append(int(taken))
            when = np.array(at)
            caught = when[np.isfinite(when)]
            out.append(
                {
                    "requests": int(requests), "share": float(share), "evasion": evasion,
                    "rate": rate, "accounts": len(when),
                    "caught": round(len(caught) / len(when), 4),
                    "median_requests": float(np.median(caught)) if len(caught) else None,
                    "caught_by": {
                        str(n): round(float((when <= n).mean()), 4)
                        for n in COUNTED_AT if n <= requests
                    },
                    "leaked_mean": round(float(np.mean(leaked)), 1),
                    "leaked_median": float(np.median(leaked)),
                }
            )  # fmt: skip
    return out


def precision_table(cells: Sequence[Row], costs: Sequence[Row]) -> list[Row]:
    """Precision among POPULATION accounts with ATTACKERS, at the rate set and the rate measured.

    The measured rate counts as 3 ÷ test accounts at least: no alarm among few proves no precision.
    """
    out = []
    for cell in cells:
        if cell["setting"] != "general" or cell["look"] != 100 or cell["evasion"] != "none":
            continue
        cost = next(c for c in costs if c["setting"] == "general" and c["look"] == 100)
        floor = RULE_OF_THREE / max(cost["test_accounts"], 1)
        for detector, rates in cell["tpr"].items():
            for rate, found in rates.items():
                measured = cost["fpr"][detector][rate]
                if found is None or measured is None:
                    continue
                caught = found["value"] * ATTACKERS
                row = {"share": cell["share"], "detector": detector, "rate": float(rate)}
                for name, fpr in (
                    ("set", float(rate)),
                    ("measured", max(measured["value"], floor)),
                ):
                    false = fpr * (POPULATION - ATTACKERS)
                    total = caught + false
                    row[f"at_{name}"] = round(caught / total, 4) if total else None
                out.append(row)
    return out


def reliability(frame: pd.DataFrame, limits: Thresholds) -> Row:
    """How far scores and p-values mean what they say, on accounts of 100 requests.

    "scores": classes weighed alike, attack accounts at 100 % share; "p_values": benign test ones.
    """
    part = frame[
        (frame.setting == "general") & (frame.look == 100) & (frame.evasion == "none")
        & (frame.share == 1.0) & ((frame.label == "extraction") | (frame.half == TEST))
    ]  # fmt: skip
    scores = np.clip(part[OURS].to_numpy(np.float64), 0.0, 1.0)
    positive = (part.label == "extraction").to_numpy(np.bool_)
    weight = np.where(positive, 1.0 / max(positive.sum(), 1), 1.0 / max((~positive).sum(), 1))
    bins = np.minimum((scores * 10).astype(int), 9)
    rows = []
    for b in range(10):
        mine = bins == b
        if mine.any():
            told_right = weight[mine & positive].sum() / weight[mine].sum()
            rows.append(
                {
                    "from": b / 10, "to": (b + 1) / 10, "accounts": int(mine.sum()),
                    "mean_score": round(float(np.average(scores[mine], weights=weight[mine])), 3),
                    "extraction": round(float(told_right), 3),
                }
            )  # fmt: skip
    calibration = limits.calibration.get(("general", 100, OURS))
    told = []
    if calibration is not None:
        p = p_values(calibration, part[OURS].to_numpy(np.float64)[~positive])
        told = [
            {"p": x, "share_at_or_below": round(float((p <= x).mean()), 5)}
            for x in (0.001, 0.01, 0.05, 0.1, 0.25, 0.5)
        ]
    return {"scores": rows, "p_values": told}


def templates_table(frame: pd.DataFrame) -> list[Row]:
    """AUC and TPR at TEMPLATE_RATE of the benign templates, ours and the bag of words', all and by
    purpose and language."""
    out = []
    part = frame[
        frame.setting.isin(["templates", "templates_bank_only"]) & (frame.bank_part == 1.0)
    ]
    for (setting, look), mine in cut_by(part, "setting", "look"):
        benign, attack = mine[mine.label == "benign"], mine[mine.label == "extraction"]
        if not len(benign) or not len(attack):
            continue
        groups: list[tuple[str, str, pd.DataFrame]] = [("all", "all", attack)]
        groups += [("kind", str(k), g) for (k,), g in cut_by(attack, "kind")]
        groups += [("lang", str(k), g) for (k,), g in cut_by(attack, "lang")]
        for by, name, group in groups:
            if by != "all" and len(group) < 5:
                continue
            row: Row = {
                "trained": "other origins too" if setting == "templates" else "bank alone",
                "look": int(look), "by": by, "name": name, "accounts": len(group),
                "benign": len(benign),
            }  # fmt: skip
            for detector, prefix in ((OURS, ""), (BAG_OF_WORDS, "bag_")):
                below = benign[detector].to_numpy(np.float64)
                above = group[detector].to_numpy(np.float64)
                limit = threshold(below, TEMPLATE_RATE)
                row[f"{prefix}auc"] = round(auc(above, below), 4)
                row[f"{prefix}tpr"] = (
                    None if limit is None else round(float((above > limit).mean()), 4)
                )
            out.append(row)
    return out
