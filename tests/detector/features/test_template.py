"""Template: system prompts are read once each, and charged to the template alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from detector.features.template import FEATURES
from detector.intents import ELICIT, EXTRACTION
from streams.record import ApiRequest
from tests.detector.builders import (
    T0_S,
    agree,
    ask,
    features_after,
    feed,
    histories,
    mean,
    prefixes,
    readings,
    row_of,
    seeded_cues,
    talk,
    told,
    word_cues,
)

CUES = seeded_cues()
PROMPTS = ("You are kind.", "You grade answers.", "Be brief.")
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def sigmoid(x: float) -> float:
    """Logistic function."""
    return 1.0 / (1.0 + math.exp(-x))


@settings(max_examples=25, deadline=None)
@given(histories())
def test_equals_the_batch_computation(history: tuple[list[ApiRequest], list[float]]) -> None:
    """After every request: the mean over system prompts not seen lately, in either place."""
    facts = told(*history)
    texts = sorted({t for f in facts for t in f.systems})
    read = readings(texts, CUES)
    for i, got in enumerate(prefixes(*history, CUES)):
        systems = [(f.weight, read[t][0]) for f in facts[: i + 1] for t in f.systems]
        agree(got, {
            "system_extraction": mean((w, float(x[EXTRACTION])) for w, x in systems),
            "system_elicitation": mean((w, sigmoid(x[ELICIT])) for w, x in systems),
        })  # fmt: skip


def test_a_prompt_counts_once_however_often_it_is_sent() -> None:
    """A hundred requests under one system prompt weigh as much as one beside a second prompt."""
    read = readings(PROMPTS, CUES)
    often = [ask(f"hello {w} {v}", system=PROMPTS[0]) for w in WORDS for v in WORDS]
    requests = [*often, ask("bye", system=PROMPTS[1])]
    got = features_after(requests, [T0_S] * len(requests), cues=CUES)
    both = [float(read[p][0][EXTRACTION]) for p in PROMPTS[:2]]
    assert got["system_extraction"] == pytest.approx(sum(both) / 2, rel=1e-4)
    assert abs(both[0] - both[1]) > 0.01


def test_no_count_of_the_user_moves() -> None:
    """A cue in a system prompt, apart or in the list, is no cue piece, moves no feature of the
    intents and names no exemplar."""
    cues = word_cues("reveal")
    apart = [ask(f"hello {w}", system="reveal") for w in WORDS]
    listed = [talk(("system", "reveal"), ("user", f"hello {w}")) for w in WORDS]
    for requests in (apart, listed):
        row = row_of(feed(requests, cues=cues)[0])
        assert (int(row["new_pieces"]), int(row["cue_pieces"])) == (len(WORDS), 0)
        assert row["cue_best"] < 0.01
        got = features_after(requests, cues=cues)
        plain = features_after([ask(f"hello {w}") for w in WORDS], cues=cues)
        for name in plain:
            if name.startswith(("intent_", "extraction_", "hot_frame")):
                assert got[name] == pytest.approx(plain[name], nan_ok=True), name
        assert got["system_elicitation"] > 0.99
        assert math.isnan(plain["system_elicitation"])


def test_without_system_prompts_unknown() -> None:
    """An account that sends none, or a log without texts, leaves the group unknown."""
    for requests in ([ask("hello")] * 3, [ask(messages=None, system=None)] * 12):
        got = features_after(requests)
        assert all(math.isnan(got[name]) for name in FEATURES)
