"""Benign reference accounts of the literature's data set, which every detector has in that setting.

Published detectors are fitted on draws from the very population that their benign accounts come
from. So the baselines are, and so is our model of that setting: these accounts stand beside its
training material. They are in no cell, and their real prompts are those of the training side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import vstack

from models.accounts import Account
from models.evaluate.compose import Composition, jobs_of
from models.evaluate.plan import Cell
from models.evaluate.units import World
from models.texts import TextRow
from models.train_cues import bags
from models.workshop import Material
from streams.traffic.answers import Filler
from streams.traffic.corpus import load_corpus

REFERENCE_ACCOUNTS = 160
REFERENCE_COPY = 1_000_000
"""Copies from here on are in no cell."""


def reference_accounts(world: World, seed: int, data: Path | None) -> list[Account]:
    """The accounts, of 100 requests each."""
    cell = Cell("literature", "benign", 100, (100,), 1.0, "none", REFERENCE_ACCOUNTS)
    corpus = load_corpus(data) if data is not None else None
    composition = Composition(world, seed, corpus, Filler(seed))
    jobs = jobs_of(cell, world, seed)
    jobs = [replace(job, copy=REFERENCE_COPY + job.copy) for job in jobs]
    return [composition.compose(job).account for job in jobs]


def with_reference(material: Material, accounts: Sequence[Account]) -> Material:
    """The material with the accounts besides, each a unit of its own, and their texts."""
    own = [replace(account, group=account.name) for account in accounts]
    units = np.array([f"reference {account.name}" for account in own])
    rows = [
        TextRow(message.text, account.name, "reference", False, {"extraction": False}, account.name)
        for account in own
        for request in account.requests
        for message in (request.messages or ())[-1:]
        if message.role == "user"
    ]
    matrix, labels, weights, first = bags(rows, material.reader)
    return Material(
        [*material.accounts, *own],
        np.concatenate([material.account_unit, units]),
        material.reader,
        vstack([material.matrix, matrix]).tocsr(),
        np.concatenate([material.labels, labels]),
        np.concatenate([material.weights, weights]),
        np.concatenate([material.bag_unit, np.array([f"reference {r.group}" for r in first])]),
    )
