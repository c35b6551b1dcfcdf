"""Intent features equal plain weighted means over the account's new pieces."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings

from detector.features.intent import CUE_PROBABILITY
from detector.intents import ELICIT, EXTRACTION, INTENTS
from streams.record import ApiRequest
from tests.detector.builders import (
    TEXTS,
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
    told,
    word_cues,
)

CUES = seeded_cues()
READ = readings(TEXTS, CUES)


def sigmoid(x: float) -> float:
    """Logistic function."""
    return 1.0 / (1.0 + math.exp(-x))


@settings(max_examples=25, deadline=None)
@given(histories())
def test_equals_the_batch_computation(history: tuple[list[ApiRequest], list[float]]) -> None:
    """After every request, each intent feature is the mean over the new pieces so far."""
    got = prefixes(*history, CUES)
    facts = told(*history)
    for i in range(len(facts)):
        pieces = [(f.weight, *READ[t]) for f in facts[: i + 1] for t in f.fresh]
        logit = [(w, float(x[EXTRACTION])) for w, x, _ in pieces]
        center = mean(logit)
        want = {
            f"intent_{name}": mean((w, sigmoid(x[k])) for w, x, _ in pieces)
            for k, name in enumerate(INTENTS)
        }
        want |= {
            "extraction_logit": center,
            "extraction_spread": math.sqrt(mean((w, (v - center) ** 2) for w, v in logit)),
            "extraction_high": mean((w, v > 0.0) for w, v in logit),
            "extraction_low": mean((w, v < -2.0) for w, v in logit),
            "thinking_tag_share": mean((w, tag) for w, _, tag in pieces),
        }
        agree(got[i], want)


@settings(max_examples=25, deadline=None)
@given(histories())
def test_counts(history: tuple[list[ApiRequest], list[float]]) -> None:
    """new_pieces, cue_pieces and the best cue are counts over the new pieces."""
    row = row_of(feed(*history, cues=CUES)[0])
    fresh = [t for f in told(*history) for t in f.fresh]
    elicit = [sigmoid(READ[t][0][ELICIT]) for t in fresh]
    assert row["new_pieces"] == len(fresh)
    assert row["cue_pieces"] == sum(p >= CUE_PROBABILITY for p in elicit)
    assert np.isclose(row["cue_best"], max(elicit, default=0.0), rtol=1e-5)


def test_the_same_word_of_a_user_is_a_cue() -> None:
    """The same text as a user turn is a cue piece, once however often it is sent."""
    cues = word_cues("reveal")
    row = row_of(feed([ask("reveal") for _ in range(5)], cues=cues)[0])
    assert (row["new_pieces"], row["cue_pieces"]) == (1, 1)


def test_without_text_unknown() -> None:
    """A log without texts leaves every intent feature unknown."""
    got = features_after([ask(messages=None, output_tokens=5) for _ in range(12)])
    assert all(math.isnan(got[n]) for n in got if n.startswith(("intent_", "extraction_")))
    assert math.isnan(got["thinking_tag_share"])
