"""Minimal pairs: a request for the model's own reasoning is a cue; what only speaks of it is not.

The pairs were written for this test and are trained on by nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.cues import load_cues
from detector.features.intent import CUE_PROBABILITY, sigmoid
from detector.intents import ELICIT
from detector.settings import packaged_models
from models.texts import elicitation_rows
from tests.detector.builders import pieces_of

PAIRS = Path(__file__).with_name("minimal_pairs.jsonl")
LEAST_RIGHT = 0.8
"""A floor against falling back; the aim is 0.95, and 0.825 was measured when first looked at."""


def pairs() -> list[dict[str, str]]:
    """Rows with lang, kind, elicits and not."""
    return [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]


def probabilities(texts: list[str]) -> NDArray[np.float64]:
    """Elicitation probability of each text by the released cue model."""
    cues = load_cues(packaged_models() / "cues.npz")
    read = cues.read(*pieces_of(*texts), np.ones(len(texts), np.bool_))
    return np.array([sigmoid(float(x)) for x in read.logits[:, ELICIT]])


def test_pairs_are_right() -> None:
    """Of at least 240 pairs in at least six languages, so many are right: the request is a cue
    and its negation, quotation, report, question about settings or school exercise is none."""
    rows = pairs()
    assert len(rows) >= 240
    assert len({r["lang"] for r in rows}) >= 6
    asks = probabilities([r["elicits"] for r in rows]) >= CUE_PROBABILITY
    others = probabilities([r["not"] for r in rows]) >= CUE_PROBABILITY
    wrong = [r for r, a, o in zip(rows, asks, others, strict=True) if not a or o]
    assert 1 - len(wrong) / len(rows) >= LEAST_RIGHT, wrong


def test_pairs_are_not_trained_on() -> None:
    """No text of a pair is in the corpus."""
    known = {r.text for r in elicitation_rows()}
    rows = pairs()
    assert not known & ({r["elicits"] for r in rows} | {r["not"] for r in rows})
