"""Minimal pairs that are kept back from training, in every language of the lexicon.

They were written together with those of `models/corpus/pairs.jsonl` but of other scenes, and the
lexicon was looked through with them at hand: a measure while the cue is worked on, milder than
`test_minimal_pairs`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from detector.features.intent import CUE_PROBABILITY
from models.elicitation import pair_rows, read_phrases
from tests.models.test_minimal_pairs import probabilities

PAIRS = Path(__file__).with_name("kept_back_pairs.jsonl")
LEAST_RIGHT = 0.88


def test_kept_back_pairs_are_right() -> None:
    """So many pairs are right, and no language falls far behind."""
    rows = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    asks = probabilities([r["elicits"] for r in rows]) >= CUE_PROBABILITY
    others = probabilities([r["not"] for r in rows]) >= CUE_PROBABILITY
    right = asks & ~others
    assert right.mean() >= LEAST_RIGHT
    lang = np.array([r["lang"] for r in rows])
    assert set(lang) == set(read_phrases())
    by_lang = {name: right[lang == name].mean() for name in set(lang)}
    assert min(by_lang.values()) >= 0.5, by_lang


def test_kept_back_pairs_are_not_trained_on() -> None:
    """No text of them is in the corpus of pairs."""
    rows = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    known = {r.text for r in pair_rows()}
    assert not known & {r[k] for r in rows for k in ("elicits", "not")}
