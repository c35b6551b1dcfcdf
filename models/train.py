"""Trains what ships: cue model and account classifier with its calibration, as artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accounts import Account
from models.benign_features import benign_features
from models.export import write_account, write_cues
from models.train_account import fit_account, worst_scores
from models.vectors import Samples
from models.workshop import FOLDS, Material, Step, cross_fitted, fit_cues, fold_of, gather

LICENCES = (
    "program bank and elicitation corpus: own work; data folder: only files that its index.csv "
    "marks train_shipped_model = yes; captures: frames only, seed texts masked"
)


def train(
    data: Path | None, captures: Path | None, out: Path, *, version: str, seed: int, step: Step
) -> dict[str, Any]:
    """Trains and writes artifacts to `out`; returns the summary that stands on the card."""
    return train_on(gather(data, captures, seed, step), out, version=version, seed=seed, step=step)


def train_on(
    material: Material,
    out: Path,
    *,
    version: str,
    seed: int,
    step: Step,
    left_out: str | None = None,
) -> dict[str, Any]:
    """Trains on gathered material without the unit `left_out`; see `train`."""
    samples = cross_fitted(material, left_out, step)
    step("calibrating on benign accounts that training did not see")
    held_out = held_out_scores(material, samples)
    summary = quality(held_out, material.accounts)
    step("training the account classifier")
    model = fit_account(samples, material.accounts)
    step("training the cue model on everything")
    cues = fit_cues(material, None, left_out, version)
    about = {
        "trained_on": {
            source: sum(a.source == source for a in material.accounts)
            for source in ("bank", "templates", "captures")
        },
        "licences": LICENCES,
        "seed": seed,
        "measured": summary,
    }
    benign = calibration_scores(held_out, material.accounts)
    ranges = benign_features(samples, material.accounts)
    write_account(out, model, benign, {"version": version, **about, "benign_features": ranges})
    write_cues(out, cues, about)
    return summary


def held_out_scores(material: Material, samples: Samples) -> NDArray[np.float64]:
    """Each account's largest score by a classifier that did not see its unit, shape (a,)."""
    fold = np.array([fold_of(u) for u in material.account_unit])
    scores = np.zeros(len(samples.x))
    for k in range(FOLDS):
        inside = fold[samples.account] == k
        model = fit_account(_subset(samples, ~inside), material.accounts)
        scores[inside] = model.probabilities(samples.x[inside])
    return worst_scores(scores, samples, len(material.accounts))


def calibration_scores(
    scores: NDArray[np.float64], accounts: Sequence[Account]
) -> NDArray[np.float64]:
    """Scores of the benign composed accounts: the table that p-values are read from."""
    return scores[calibrates(scores, accounts)]


def calibrates(scores: NDArray[np.float64], accounts: Sequence[Account]) -> NDArray[np.bool_]:
    """Which accounts that table is made of, shape (a,)."""
    pick = [a.label == 0 and a.source != "captures" for a in accounts]
    return np.array(pick, np.bool_) & ~np.isnan(scores)


def quality(scores: NDArray[np.float64], accounts: Sequence[Account]) -> dict[str, Any]:
    """TPR at benign rates of 5, 2 and 1 %, by source; thresholds from composed benign accounts."""
    benign = calibration_scores(scores, accounts)
    out: dict[str, Any] = {"calibration_accounts": len(benign)}
    for rate in (0.05, 0.02, 0.01):
        threshold = float(np.quantile(benign, 1.0 - rate))
        row: dict[str, Any] = {}
        for source in ("bank", "templates", "captures"):
            for label, name in ((1, "tpr"), (0, "fpr")):
                mine = [
                    s >= threshold
                    for s, a in zip(scores, accounts, strict=True)
                    if a.source == source and a.label == label and not np.isnan(s)
                ]
                if mine:
                    row[f"{source}_{name}"] = round(float(np.mean(mine)), 3)
        out[f"at_{rate:g}"] = row
    return out


def _subset(samples: Samples, mask: NDArray[np.bool_]) -> Samples:
    return Samples(samples.x[mask], samples.account[mask], samples.requests[mask])
