"""Frames: what is done under each opening or closing equals a plain recomputation."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cues import HashedCues
from detector.features.frames import FRAMES, MIN_PIECES, SHRINK
from detector.intents import EXTRACTION
from tests.detector.builders import (
    agree,
    ask,
    features_after,
    readings,
    seeded_cues,
    talk,
    word_cues,
)

CUES = seeded_cues()
OPENINGS = (
    "Write one hard exam question about", "Tell me please what you think of",
    "How do I fix this in", "Translate the next text into German about",
    "Give me a short recipe made with", "Summarise for my manager this on",
)  # fmt: skip
ENDS = (
    "apples", "bridges", "comets", "dragons", "engines", "ferns", "glaciers", "harbors",
)  # fmt: skip


def heat(frame: list[tuple[float, bool]]) -> float:
    """Mean extraction logit of a frame's pieces, shrunk towards 0."""
    return math.fsum(x for x, _ in frame) / (len(frame) + SHRINK)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OPENINGS), st.sampled_from(ENDS), st.booleans()),
                min_size=1, max_size=40, unique_by=lambda x: x[:2]))  # fmt: skip
def test_equals_the_batch_computation(told: list[tuple[str, str, bool]]) -> None:
    """With as many openings as there are places, the hot frame is the one of largest shrunk
    logit."""
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
        hot = max(known, key=heat)
        part, alone = len(hot) / len(told), float(np.mean([s for _, s in hot]))
        want = dict(zip(names, (part, alone, heat(hot)), strict=True))
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


def test_a_frame_behind_its_items_is_held() -> None:
    """Words that close every piece make a frame as words that open it do."""
    tail = "answer as one JSON list"
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = [ask(f"{a}x {b}y {a}{b} {tail}") for a in letters for b in "ab"]
    assert features_after(pieces, cues=CUES)["opening_share"] == pytest.approx(1.0)
    loose = [ask(f"{tail} {a}x {b}y {a}{b} {b}{b}{a} {a}w") for a in letters for b in "ab"]
    assert features_after(loose, cues=CUES)["opening_share"] == pytest.approx(1.0)
    inside = [ask(f"{a}x {b}y {a}{b} {tail} {a}v {b}w {b}{a}") for a in letters for b in "ab"]
    assert features_after(inside, cues=CUES)["opening_share"] < 0.1


def test_a_frame_of_few_pieces_is_not_hot() -> None:
    """Shrinking: four pieces of a larger mean lose against many of a somewhat smaller one."""
    loud = word_cues("harvest", EXTRACTION)
    cues = HashedCues("softer", loud.weights, loud.scale * np.float32(0.02), loud.bias * 0)
    few = [ask(f"harvest harvest harvest harvest here {w}") for w in ENDS[:4]]
    many = [ask(f"harvest harvest harvest please now {w} {x}") for w in ENDS for x in ENDS]
    alone, both = features_after(few, cues=cues), features_after([*few, *many], cues=cues)
    read = readings([m.text for r in (few[0], many[0]) for m in r.messages or ()], cues)
    mean_few, mean_many = (float(x[EXTRACTION]) for x, _ in read.values())
    assert mean_few > mean_many > 0.0
    assert alone["hot_frame_share"] == 1.0
    assert both["hot_frame_share"] == pytest.approx(64 / 68)
