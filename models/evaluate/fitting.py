"""Fits the baselines of a fold on accounts that the fold's own model may be trained on too.

In the literature's setting the benign reference comes from the very population of the benign
accounts, as it does there, in accounts that no cell has.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.accounts import Account
from models.baselines import BASELINES
from models.baselines.baseline import Baseline
from models.baselines.view import view_of
from models.evaluate.compose import Composition, jobs_of
from models.evaluate.plan import Cell
from models.evaluate.units import World
from models.workshop import Material
from streams.traffic.answers import Filler
from streams.traffic.corpus import load_corpus

REFERENCE_ACCOUNTS = 160
REFERENCE_COPY = 1_000_000
"""Copies from here on are in no cell."""

MOST_ACCOUNTS = 1500


def fit_baselines(
    material: Material, world: World, *, literature: bool, seed: int, data: Path | None
) -> list[Baseline]:
    """Every baseline of the registry, fitted; one account a program."""
    seen: set[str] = set()
    accounts = []
    for account in material.accounts:
        if account.source != "captures" and account.group not in seen:
            seen.add(account.group)
            if not literature or account.label:
                accounts.append(account)
    keep = np.random.default_rng(seed).permutation(len(accounts))[:MOST_ACCOUNTS]
    accounts = [accounts[i] for i in sorted(keep.tolist())]
    if literature:
        accounts += _reference(world, seed, data)
    views = [view_of(a.requests) for a in accounts]
    labels = np.array([a.label for a in accounts], np.int8)
    fitted = []
    for make in BASELINES:
        baseline = make()
        baseline.fit(views, labels)
        fitted.append(baseline)
    return fitted


def _reference(world: World, seed: int, data: Path | None) -> list[Account]:
    cell = Cell("literature", "benign", 100, (100,), 1.0, "none", REFERENCE_ACCOUNTS)
    corpus = load_corpus(data) if data is not None else None
    composition = Composition(world, seed, corpus, Filler(seed))
    jobs = jobs_of(cell, world, seed)
    jobs = [replace(job, copy=REFERENCE_COPY + job.copy) for job in jobs]
    return [composition.compose(job).account for job in jobs]
