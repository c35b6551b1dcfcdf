"""Texts of the elicitation head: pairs and composed sentences."""

from __future__ import annotations

from collections import Counter

from models.elicitation import PHRASE_WEIGHT, pair_rows, phrase_rows, read_phrases


def test_pairs_have_two_sides_and_one_head() -> None:
    """Each pair is one group of a cue and of none, known to the elicitation head alone."""
    rows = pair_rows()
    assert set(Counter(r.group for r in rows).values()) == {2}
    for asks, other in zip(rows[::2], rows[1::2], strict=True):
        assert asks.group == other.group
        assert asks.intents == {"elicit": True}
        assert other.intents == {"elicit": False}
        assert asks.bag != other.bag


def test_composed_sentences_are_the_same_every_time_and_whole() -> None:
    """Same rows each time, in every language both labels, no slot left open, no text twice."""
    rows = phrase_rows()
    assert rows == phrase_rows()
    assert len({(r.batch, r.text) for r in rows}) == len(rows)
    assert not any(c in r.text for r in rows for c in ("{own}", "{its}", "{asked}"))
    labels = {(r.batch, r.intents["elicit"]) for r in rows}
    assert labels == {(lang, label) for lang in read_phrases() for label in (True, False)}
    assert {r.weight for r in rows} == {PHRASE_WEIGHT}
