"""Fits the baselines of a fold on accounts that the fold's own model may be trained on too.

In the literature's setting their benign accounts are the reference, see `reference`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.accounts import Account, composed_accounts
from models.baselines import BASELINES
from models.baselines.baseline import Baseline
from models.baselines.view import view_of
from models.evaluate.reference import reference_accounts
from models.evaluate.units import World
from streams.traffic.corpus import load_corpus
from streams.traffic.day import ordinary_chat

MOST_ACCOUNTS = 1500


def training_accounts(
    world: World, without: frozenset[str], *, seed: int, data: Path | None
) -> list[Account]:
    """One account of every program that the fold's training may see, as the workshop composes them;
    not gathered by the workshop, so that baselines stay as they are while our training changes."""
    corpus = load_corpus(data) if data is not None else None
    units = [u for u in world.units if u.unit not in without]
    chats = ordinary_chat([u.program for u in units if u.source == "bank"])
    out: list[Account] = []
    for number, source in enumerate(("bank", "templates")):
        programs = [(u.program, u.unit) for u in units if u.source == source]
        out += composed_accounts(
            programs, per_program=1, seed=seed + number, source=source, corpus=corpus, chats=chats
        )
    return out


def fit_baselines(
    accounts: Sequence[Account], world: World, *, literature: bool, seed: int, data: Path | None
) -> list[Baseline]:
    """Every baseline of the registry, fitted on at most MOST_ACCOUNTS of the training accounts."""
    accounts = [a for a in accounts if a.label or not literature]
    keep = np.random.default_rng(seed).permutation(len(accounts))[:MOST_ACCOUNTS]
    accounts = [accounts[i] for i in sorted(keep.tolist())]
    if literature:
        accounts += reference_accounts(world, seed, data)
    views = [view_of(a.requests) for a in accounts]
    labels = np.array([a.label for a in accounts], np.int8)
    fitted = []
    for make in BASELINES:
        baseline = make()
        baseline.fit(views, labels)
        fitted.append(baseline)
    return fitted
