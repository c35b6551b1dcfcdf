"""The literature's reference: of the judged population, but no judged account."""

from __future__ import annotations

import numpy as np

from models.evaluate.compose import jobs_of
from models.evaluate.plan import Cell
from models.evaluate.reference import REFERENCE_ACCOUNTS, reference_accounts, with_reference
from models.evaluate.units import read_world
from models.texts import TextRow, elicitation_rows
from models.train_cues import bags
from models.train_elicit import fit_reader
from models.workshop import Material
from tests.models.learning import made_up_accounts

WORLD = read_world(None, folds=2, hold_out="kind", every=12)


def test_reference_accounts_are_in_no_cell() -> None:
    """They run the same plain chats as the judged accounts, under names that no cell has."""
    made = reference_accounts(WORLD, 1, None)
    assert len(made) == REFERENCE_ACCOUNTS
    assert {a.label for a in made} == {0}
    assert {a.group for a in made} <= {p.id for p in WORLD.plain}
    cell = Cell("literature", "benign", 100, (20, 100), 1.0, "none", 4000)
    assert not {a.name for a in made} & {job.name for job in jobs_of(cell, WORLD, 1)}


def test_the_reference_stands_beside_the_material() -> None:
    """Each account is a unit of its own, so that it weighs as a program does, with a bag of its own
    texts that are known not to be extraction; nothing of the material is lost."""
    own = made_up_accounts()
    rows = [
        TextRow(f"text {i}", f"p{i}", "b", False, {"extraction": True}, f"p{i}") for i in (0, 1)
    ]
    reader = fit_reader(elicitation_rows(), frozenset())
    matrix, labels, weights, first = bags(rows, reader)
    units = np.array([a.group for a in own])
    bags_of = np.array([r.group for r in first])
    material = Material(own, units, reader, matrix, labels, weights, bags_of)
    reference = reference_accounts(WORLD, 1, None)[:5]
    joined = with_reference(material, reference)
    assert joined.accounts[: len(own)] == own
    added = joined.account_unit[len(own) :].tolist()
    assert len(set(added)) == len(reference)
    assert joined.bag_unit[len(first) :].tolist() == added
    assert joined.matrix.shape[0] == len(joined.labels) == len(joined.weights) == len(first) + 5
    assert (joined.labels[len(first) :] <= 0).all()
    assert joined.labels[len(first) :].max() == 0
