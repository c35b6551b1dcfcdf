"""Trains what ships: cue model and account classifier with its calibration, as artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accounts import Account
from models.benign_features import benign_features
from models.export import write_account, write_cues, write_encoder_head
from models.train_account import fit_account, without_encoder, worst_scores
from models.vectors import Samples
from models.workshop import (
    FOLDS,
    Material,
    Step,
    cross_fitted,
    fit_cues,
    fit_head_of,
    fold_of,
    gather,
)

LICENCES = (
    "program bank and elicitation corpus: own work; data folder: only files that its index.csv "
    "marks train_shipped_model = yes; captures: frames only, seed texts masked"
)


def train(
    data: Path | None,
    captures: Path | None,
    out: Path,
    *,
    version: str,
    seed: int,
    step: Step,
    encoder: Path | None = None,
) -> dict[str, Any]:
    """Trains and writes artifacts to `out`; returns the summary that stands on the card.

    `encoder` is the folder of the built prompt encoder; without it there is no head for one.
    """
    material = gather(data, captures, seed, step, encoder=encoder)
    return train_on(material, out, version=version, seed=seed, step=step)


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
    fitted = cross_fitted(material, left_out, step)
    samples = fitted.samples
    step("calibrating on benign accounts that training did not see")
    held_out, encoded = held_out_scores(material, samples)
    summary = quality(held_out, material.accounts)
    if fitted.sums is not None:
        summary["with_encoder"] = quality(encoded, material.accounts)
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
    tables = tuple(calibration_scores(scores, material.accounts) for scores in (held_out, encoded))
    ranges = benign_features(samples, material.accounts)
    write_account(out, model, tables, {"version": version, **about, "benign_features": ranges})
    write_cues(out, cues, about)
    if fitted.sums is not None:
        kept = material.account_unit != (left_out or "")
        write_encoder_head(out, fit_head_of(material, fitted.sums, kept, version), about)
    return summary


def held_out_scores(
    material: Material, samples: Samples
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each account's largest score by a classifier that did not see its unit, shape (a,).

    Once as it is without a prompt encoder, and once with it.
    """
    fold = np.array([fold_of(u) for u in material.account_unit])
    bare = without_encoder(samples.x)
    scores = np.zeros((2, len(samples.x)))
    for k in range(FOLDS):
        inside = fold[samples.account] == k
        model = fit_account(_subset(samples, ~inside), material.accounts)
        scores[0, inside] = model.probabilities(bare[inside])
        scores[1, inside] = model.probabilities(samples.x[inside])
    n = len(material.accounts)
    return worst_scores(scores[0], samples, n), worst_scores(scores[1], samples, n)


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
