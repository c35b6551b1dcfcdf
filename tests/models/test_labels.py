"""The label table: every kind of program that the bank holds has its intents."""

from __future__ import annotations

from detector.intents import INTENTS
from models.labels import BENIGN_KINDS, intents_of
from models.texts import bank_programs


def test_every_kind_of_the_bank_is_covered() -> None:
    """Benign kinds are known as such; every extraction kind shows an intent of its own or is the
    one that has no text of its own; all names are intents."""
    programs = [p for p, _ in bank_programs()]
    benign = {p.kind for p in programs if p.label == "benign"}
    taking = {p.kind for p in programs if p.label == "extraction"}
    assert benign <= BENIGN_KINDS
    for kind in benign | taking:
        assert intents_of(kind, None).keys() <= set(INTENTS)
        assert "extraction" not in intents_of(kind, None)
        assert intents_of(kind, True)["extraction"] is True
        assert intents_of(kind, False)["extraction"] is False
    silent = {k for k in taking if not any(intents_of(k, None).values())}
    assert silent <= {"logit"}
    assert len(taking) >= 10


def test_unsure_is_left_out() -> None:
    """What some programs of a kind may show is neither shown nor denied."""
    assert "worked" not in intents_of("tutor", False)
    assert intents_of("tutor", False)["tutor"] is True
    assert intents_of("chat", False)["generate"] is False
    assert "elicit" not in intents_of("trace", True)
