"""Folds: what belongs together is never on both sides of a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, eye_array

from detector.concepts import N_CONCEPT_FEATURES
from detector.cues import HashedCues
from detector.elicit import GATE_CONCEPTS, ElicitReader
from detector.encoder import DIMENSIONS
from detector.encoder_head import BOUND, EncoderHead
from detector.features import FEATURE_NAMES, N_FEATURES
from detector.intents import N_INTENTS
from models import workshop
from models.accounts import Account, tool_of
from models.encoded_texts import EncodedTexts, VectorSums
from models.texts import bank_programs
from models.train_account import ENCODED
from models.train_cues import BUCKETS
from models.vectors import Samples
from models.workshop import FOLDS, Material, cross_fitted, fit_cues, fold_of, gather
from tests.detector.builders import ask

UNITS = [*(f"program p{i}" for i in range(30)), *(f"tool t{i}" for i in range(10))]


def silent(text: str) -> None:
    """Nobody is told of the steps."""


UNREAD = ElicitReader(
    ("word",), np.ones(1, np.uint32), np.ones(1, np.uint64), np.ones(1, np.uint32),
    np.zeros((GATE_CONCEPTS, GATE_CONCEPTS), np.float32), np.zeros(2, np.float32),
    np.zeros(N_CONCEPT_FEATURES, np.float32),
)  # fmt: skip


@pytest.fixture
def material() -> Material:
    """Two accounts and two bags a unit, and bags that no account runs; bag i is column i."""
    accounts = [
        Account(f"{u}#{c}", u, "b", int(i % 3 == 0), "chat", "bank", [ask("hi")])
        for i, u in enumerate(UNITS)
        for c in range(2)
    ]
    bag_unit = np.array([*UNITS, *UNITS, *[""] * 5])
    n = len(bag_unit)
    return Material(
        accounts,
        np.array([a.group for a in accounts]),
        UNREAD,
        csr_matrix(eye_array(n)),
        np.zeros((n, N_INTENTS), np.int8),
        np.ones(n),
        bag_unit,
    )


def test_a_fold_is_told_by_the_unit_alone() -> None:
    """A unit has one fold, and units spread over all of them."""
    folds = [fold_of(u) for u in UNITS]
    assert folds == [fold_of(u) for u in UNITS]
    assert set(folds) == set(range(FOLDS))


def test_cues_never_see_the_units_that_they_read(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every fold the accounts that are read and the bags that were learnt share no unit; each
    account is read once, and the unit left out is in neither."""
    learnt: list[set[str]] = []
    read: list[list[str]] = []

    def heads(matrix: csr_matrix, *_: Any, rows: Any, fitted: Any) -> tuple[Any, Any]:
        learnt.append(set(material.bag_unit[matrix[rows].indices].tolist()))
        return np.zeros((8, N_INTENTS), np.float32), np.zeros(N_INTENTS, np.float32)

    def vectors(accounts: Sequence[Account], _: HashedCues, prompts: None) -> Samples:
        assert prompts is None, "nothing is encoded without an encoder"
        read.append([a.name for a in accounts])
        n = len(accounts)
        x = np.zeros((n, N_FEATURES), np.float32)
        return Samples(x, np.arange(n), np.full(n, 10))

    monkeypatch.setattr(workshop, "fit_heads", heads)
    monkeypatch.setattr(workshop, "sample_vectors", vectors)
    out = UNITS[7]
    fitted = cross_fitted(material, out, silent)
    assert fitted.sums is None
    samples = fitted.samples
    assert len(learnt) == len(read) == FOLDS
    for bags, accounts in zip(learnt, read, strict=True):
        mine = {name.partition("#")[0] for name in accounts}
        assert mine
        assert not bags & mine
        assert bags | mine == {*UNITS, ""} - {out}
    names = [material.accounts[i].name for i in samples.account.tolist()]
    assert sorted(names) == sorted(a.name for a in material.accounts if a.group != out)
    learnt.clear()
    fit_cues(material, None, None, "all")
    assert learnt == [{*UNITS, ""}]


class FakeTexts(EncodedTexts):
    """Every text has one and the same vector; it knows no encoder."""

    encoder: Any = SimpleNamespace(version="fake")

    def vectors(self, text: NDArray[np.uint8], pieces: NDArray[np.void]) -> NDArray[np.float32]:
        return np.full((len(pieces), DIMENSIONS), 0.5, np.float32)


def test_the_encoders_head_never_sees_the_units_that_it_reads(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every fold the head is trained on the sums of all other folds' accounts, never on those
    of the unit left out; each account's pieces are summed by its own fold's cues."""
    learnt: list[set[str]] = []

    def head(
        sums: VectorSums, accounts: Sequence[Account], use: NDArray[np.bool_], **_: Any
    ) -> Any:
        learnt.append({accounts[i].group for i in np.flatnonzero(use).tolist()})
        return EncoderHead("h", "fake", np.ones(DIMENSIONS, np.float32), 0.25)

    flat = np.zeros((BUCKETS, N_INTENTS), np.float32), np.zeros(N_INTENTS, np.float32)
    monkeypatch.setattr(workshop, "fit_heads", lambda *_, **__: flat)
    monkeypatch.setattr(workshop, "fit_encoder_head", head)
    out = UNITS[7]
    accounts = [replace(a, requests=[ask("hi", account=a.name)]) for a in material.accounts]
    encoded = replace(material, accounts=accounts, texts=FakeTexts(Path("none")))
    fitted = cross_fitted(encoded, out, silent)
    assert len(learnt) == FOLDS
    for fold, units in enumerate(learnt):
        assert units == {u for u in UNITS if u != out and fold_of(u) != fold}
    sums = fitted.sums
    assert sums is not None
    kept = material.account_unit != out
    assert sums.counts.tolist() == kept.astype(int).tolist(), "one piece an account"
    assert np.array_equal(sums.sums[:, 0], 0.5 * kept)
    read = fitted.samples.x[:, FEATURE_NAMES.index(ENCODED)]
    assert read.tolist() == [BOUND] * len(read), "the bound of what the head says"


def test_gathered_programs_keep_to_one_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts and texts of a program have the same unit, so the same fold; corpus texts that no
    account runs have none."""
    some = [pair for pair in bank_programs() if pair[0].label != "depends"][::40]
    chats = [pair for pair in bank_programs() if pair[0].kind == "chat"][:2]
    monkeypatch.setattr(workshop, "bank_programs", lambda: [*some, *chats])
    monkeypatch.setattr(workshop, "BANK_COPIES", 2)
    got = gather(None, None, 1, silent)
    units: dict[str, set[str]] = defaultdict(set)
    for account, unit in zip(got.accounts, got.account_unit, strict=True):
        units[account.group].add(str(unit))
    assert {group: {f"program {group}"} for group in units} == units
    assert set(units) >= {p.id for p, _ in some}
    assert set(got.account_unit) <= set(got.bag_unit)
    assert "" in got.bag_unit
    assert got.matrix.shape[0] == len(got.labels) == len(got.weights) == len(got.bag_unit)


def test_twins_of_a_tool_share_it() -> None:
    """Shards, twins and sister runs of a captured tool name the same tool."""
    assert tool_of("A_toolname_big_00") == tool_of("B_toolname_eval") == "toolname"
