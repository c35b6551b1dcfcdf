"""Frames: what is done under each opening equals a plain recomputation."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.features.frames import FRAMES, MIN_PIECES
from detector.intents import EXTRACTION
from tests.detector.builders import agree, ask, features_after, readings, seeded_cues, talk

CUES = seeded_cues()
OPENINGS = (
    "Write one hard exam question about", "Tell me please what you think of",
    "How do I fix this in", "Translate the next text into German about",
    "Give me a short recipe made with", "Summarise for my manager this on",
)  # fmt: skip
ENDS = (
    "apples", "bridges", "comets", "dragons", "engines", "ferns", "glaciers", "harbors",
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OPENINGS), st.sampled_from(ENDS), st.booleans()),
                min_size=1, max_size=40, unique_by=lambda x: x[:2]))  # fmt: skip
def test_equals_the_batch_computation(told: list[tuple[str, str, bool]]) -> None:
    """With as many openings as there are places, the hot frame is the one of largest mean logit."""
    texts = [f"{opening} {end}" for opening, end, _ in told]
    requests = [
        ask(t) if single else talk(("user", "hi"), ("assistant", "yes?"), ("user", t))
        for t, (_, _, single) in zip(texts, told, strict=True)
    ]
    read = readings(texts, CUES)
    frames: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for text, (opening, _, single) in zip(texts, told, strict=True):
        frames[opening].append((float(read[text][0][EXTRACTION]), single))
    known = [f for f in frames.values() if len(f) >= MIN_PIECES]
    names = ("hot_frame_share", "hot_frame_one_shot", "hot_frame_logit")
    want = dict.fromkeys(names, math.nan)
    if known:
        hot = max(known, key=lambda f: float(np.mean([x for x, _ in f])))
        singles, logits = zip(*((float(s), x) for x, s in hot), strict=True)
        means = [len(hot) / len(told), float(np.mean(singles)), float(np.mean(logits))]
        want = dict(zip(names, means, strict=True))
    want["opening_share"] = max(map(len, frames.values())) / len(told)
    assert len(OPENINGS) <= FRAMES
    agree(features_after(requests, cues=CUES), want)


def test_diverse_openings_have_no_large_frame() -> None:
    """When every text opens differently, no opening has a large share."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    got = features_after([ask(f"{a}x {b}y {a}{b} and so on") for a in letters for b in "abcdefgh"])
    assert got["opening_share"] < 0.05


def test_a_minority_frame_is_held_amid_diverse_text() -> None:
    """A quarter of an account's pieces under one opening stay one frame amid unique ones."""
    requests = []
    for i, a in enumerate("abcdefghijklmnopqrstuvwxyz" * 4):
        some = [f"{a}{chr(97 + i // 26)} {b}y {a}{b} and so on" for b in "abc"]
        requests += [ask(t) for t in some]
        requests.append(ask(f"{OPENINGS[0]} {a} {i}{chr(97 + i // 26)} thing"))
    got = features_after(requests, cues=CUES)
    assert got["opening_share"] == pytest.approx(0.25, abs=0.05)
