"""The program bank and its templates."""

from __future__ import annotations

import json

import pytest

from streams.traffic.bank import BankError, fill, load_bank, parse_bank, slots_of

ROW = {
    "id": "t-1",
    "label": "benign",
    "kind": "chat",
    "purpose": "a test",
    "lang": "en",
    "user": 'Say {{"x": "{word}"}} about {subject}',
    "slots": {"word": ["a", "b"], "subject": "topic"},
}


def _line(**changes: object) -> str:
    return json.dumps({**ROW, **changes})


def test_shipped_bank_is_valid_and_has_both_labels() -> None:
    """Every shipped row parses, its slots agree with its sources, and both labels are there."""
    programs = load_bank()
    labels = {program.label for program in programs}
    assert {"benign", "extraction"} <= labels
    assert len({program.id for program in programs}) == len(programs) > 100


def test_fill_keeps_literal_braces() -> None:
    """Doubled braces of a template come out single, slots are replaced."""
    (program,) = parse_bank("t", _line())
    assert slots_of(program.wordings[0]) == ("word", "subject")
    assert fill(program.wordings[0], {"word": "a", "subject": "ice"}) == 'Say {"x": "a"} about ice'


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"slots": {"word": ["a"]}}, "slots without a source: ['subject']"),
        ({"slots": {"word": "nonsense", "subject": "topic"}}, "unknown source 'nonsense'"),
        ({"slots": {"word": [], "subject": "topic"}}, "empty list"),
        ({"user": "open { brace"}, "t-1"),
        ({"user": "a {b:>9} spec"}, "not a slot"),
        ({"turns": ["hello"]}, "either user or turns"),
        ({"label": "evil"}, "label"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_rows_say_what_is_wrong(change: dict[str, object], reason: str) -> None:
    """A row with a fault raises BankError that names the place and the fault."""
    with pytest.raises(BankError) as caught:
        parse_bank("t", _line(**change))
    assert reason in str(caught.value)
