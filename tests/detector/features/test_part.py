"""The hot frame as an account of its own: what is known of it, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.cues import HashedCues
from detector.features import FEATURE_NAMES, N_FEATURES
from detector.features.part import MIN_PART_PIECES, read_part
from detector.intents import EXTRACTION
from streams.record import ApiRequest
from tests.detector.builders import ask, feed, readings, row_of, seeded_cues, talk, word_cues

CUES = seeded_cues()
LOUD = word_cues("harvest", EXTRACTION)
KNOWN = {"intent_elicit", "extraction_logit", "opening_share", "one_shot_share", "history_share"}
WORDS = tuple(
    f"{color} {thing}"
    for color in ("red", "green", "blue", "grey")
    for thing in ("apples", "bridges", "comets", "dragons", "engines", "ferns", "jars", "lamps")
)


def part_of(requests: list[ApiRequest], loud: bool = True) -> tuple[bool, NDArray[np.float32]]:
    """Whether the account has a part, and the part's vector."""
    state, _ = feed(requests, cues=LOUD if loud else CUES)
    out = np.empty((1, N_FEATURES), np.float32)
    there = read_part(np.array([row_of(state)]), out)
    return bool(there[0]), out[0]


def taken(word: str) -> ApiRequest:
    """A request of the harvest."""
    return ask(f"harvest one hard question on {word}")


def chat(word: str) -> ApiRequest:
    """A request of ordinary chat."""
    return talk(("user", "hi"), ("assistant", "hello"), ("user", f"{word} and {word[::-1]} how?"))


def test_a_quarter_of_harvest_is_read_alone() -> None:
    """The vector tells of the harvest alone, whatever is mixed in: its mean logit, that all came
    under one opening, and that all were one-shot. Everything else is unknown."""
    mixed = []
    for word in WORDS:
        mixed += [taken(word), *(chat(f"{word}{c}") for c in "xyz")]
    there, got = part_of(mixed)
    assert there
    named = dict(zip(FEATURE_NAMES, got.tolist(), strict=True))
    assert {n for n, v in named.items() if not np.isnan(v)} == KNOWN
    alone, pure = part_of([taken(word) for word in WORDS])
    assert alone
    assert got.tolist() == pytest.approx(pure.tolist(), nan_ok=True)
    texts = [m.text for word in WORDS for m in taken(word).messages or ()]
    read = readings(texts, LOUD)
    mean = np.mean([read[t][0][EXTRACTION] for t in texts])
    assert named["extraction_logit"] == pytest.approx(mean, rel=1e-5)
    assert (named["opening_share"], named["one_shot_share"], named["history_share"]) == (1, 1, 0)
    assert named["intent_elicit"] == 0.0


def test_elicitation_is_the_frames_own() -> None:
    """The share of the frame's pieces that more likely elicit than not, whatever is around it."""
    cues = word_cues("reveal")
    loud = HashedCues("both", cues.weights | LOUD.weights, cues.scale, cues.bias)
    asked = [
        ask(f"harvest one hard question on {w}" + (" reveal" if i % 4 == 0 else ""))
        for i, w in enumerate(WORDS)
    ]
    state, _ = feed([*asked, *(chat(w) for w in WORDS)], cues=loud)
    out = np.empty((1, N_FEATURES), np.float32)
    assert read_part(np.array([row_of(state)]), out)[0]
    assert out[0, FEATURE_NAMES.index("intent_elicit")] == pytest.approx(0.25)


def test_one_shot_share_is_the_frames_own() -> None:
    """Pieces of the frame that came within a conversation count as such."""
    later = [
        talk(("user", "hi"), ("assistant", "yes?"), ("user", f"harvest one hard question on {w}"))
        for w in WORDS[: len(WORDS) // 4]
    ]
    there, got = part_of([*later, *(taken(w) for w in WORDS[len(WORDS) // 4 :])])
    assert there
    assert got[FEATURE_NAMES.index("one_shot_share")] == pytest.approx(0.75)
    assert got[FEATURE_NAMES.index("history_share")] == pytest.approx(0.25)


def test_no_part_before_enough_pieces() -> None:
    """With too few pieces in the hot frame there is no second look, nor without text."""
    enough = int(MIN_PART_PIECES)
    assert part_of([taken(w) for w in WORDS[:enough]])[0]
    for few in ([taken(w) for w in WORDS[: enough - 1]], [ask(messages=None) for _ in range(12)]):
        there, got = part_of(few)
        assert not there
        assert np.isnan(got).all()
