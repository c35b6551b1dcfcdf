"""Labelled texts: what a row of each source carries."""

from __future__ import annotations

import numpy as np

from detector.intents import ELICIT, INTENTS
from models.accounts import Account
from models.texts import CAPTURE_TEXTS, bank_programs, capture_rows, elicitation_rows, program_rows
from tests.detector.builders import ask, talk


def captured(label: int) -> Account:
    """A captured account with one system text and many prompts, each sent twice."""
    requests = [ask(f"Grade answer {i}: seed text {i}", system="You grade.") for i in range(200)]
    requests += [talk(("user", "Grade answer 0: seed text 0"), ("assistant", "an answer"))]
    return Account("x@1", "x", "tool", label, "capture", "captures", requests)


def test_capture_rows_are_masked_frames() -> None:
    """User texts of a capture are frame_only, answers are not read, texts do not repeat, and only
    so many count; what is known of them is the label and nothing else."""
    rows = capture_rows([captured(1)])
    assert len(rows) == CAPTURE_TEXTS
    assert len({r.text for r in rows}) == len(rows)
    assert {(r.system, r.frame_only) for r in rows} == {(True, False), (False, True)}
    assert {r.bag for r in rows} == {"x/True", "x/False"}
    assert all("an answer" not in r.text for r in rows)
    assert all(r.intents == {"extraction": True} for r in rows)
    assert all(r.intents == {"extraction": False} for r in capture_rows([captured(0)]))


def test_labels_are_known_or_unsure() -> None:
    """1 shows it, 0 does not, -1 unsure, in the order of the intents."""
    (row, *_) = capture_rows([captured(1)])
    labels = row.labels()
    assert labels[INTENTS.index("extraction")] == 1
    assert np.delete(labels, INTENTS.index("extraction")).tolist() == [-1] * (len(INTENTS) - 1)


def test_minimal_pairs_stay_together() -> None:
    """The elicitation corpus has both labels in most of its groups, and several languages."""
    rows = [r for r in elicitation_rows() if not r.system]
    by_group: dict[str, set[int]] = {}
    for r in rows:
        by_group.setdefault(r.group, set()).add(int(r.labels()[ELICIT]))
    both = sum(labels >= {0, 1} for labels in by_group.values())
    assert both > 0.5 * len(by_group)
    assert len({r.batch for r in rows}) >= 10


def test_program_rows_are_the_same_every_time() -> None:
    """Same seed, same texts; a program that content cannot tell leaves extraction unsure."""
    programs = bank_programs()
    some = [p for p in programs if p[0].label == "depends"][:2] + programs[:4]
    rows = program_rows(some, 3, None)
    assert rows == program_rows(some, 3, None)
    assert rows != program_rows(some, 4, None)
    unsure = {p.id for p, _ in some if p.label == "depends"}
    assert {r.group for r in rows if "extraction" not in r.intents} == unsure
