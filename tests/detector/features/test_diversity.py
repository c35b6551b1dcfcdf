"""Query diversity: features equal a plain recomputation from the pieces' token pairs."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detector.features.diversity import (
    DIMENSIONS,
    FEATURES,
    FRAME_BUCKETS,
    FRAME_CAP,
    NEAR_BITS,
    RECENT,
    TOPICS,
)
from detector.features.frames import FRAMES
from streams.record import ApiRequest
from tests.detector.builders import (
    T0_S,
    Fact,
    agree,
    ask,
    features_after,
    features_of,
    feed,
    histories,
    mean,
    pieces_of,
    prefixes,
    row_of,
    seeded_cues,
    talk,
    told,
)

CUES = seeded_cues()
WORDS = (
    "river", "mountain", "castle", "poem", "theorem", "enzyme", "market", "violin", "galaxy",
    "recipe", "treaty", "bridge", "glacier", "neuron", "ballad", "tariff", "comet", "orchard",
    "lantern", "harbor",
)  # fmt: skip
FIELDS = ("history", "physics", "biology", "music", "law", "cooking", "travel", "sports")


class Oracle:
    """The account's new pieces, one after the other, in plain Python."""

    def __init__(self) -> None:
        self.pieces: list[tuple[float, int]] = []  # weight, tokens
        self.edges: list[tuple[int, int]] = []  # opening, closing
        self.framed: list[tuple[float, float, int]] = []  # weight, frame share, tokens
        self.signs: list[tuple[float, int]] = []
        self.units: list[tuple[float, NDArray[np.float64]]] = []
        self.near = 0.0
        self.seen: Counter[int] = Counter()
        self.n = 0

    def add(self, text: str, weight: float) -> None:
        """One new piece."""
        buffer, pieces = pieces_of(text)
        read = CUES.read(buffer, pieces, np.ones(1, np.bool_))
        pairs = [int(h) for h in read.sample[0][: read.n_sample[0]]]
        tokens = int(read.n_tokens[0])
        self.pieces.append((weight, tokens))
        self.edges.append((int(read.edges[0, 0]), int(read.edges[0, 1])))
        bucket = [h * FRAME_BUCKETS >> 64 for h in pairs]
        frame = {b for b, k in self.seen.items() if k > self.n / 2} if self.n >= 4 else set()
        items = [h for h, b in zip(pairs, bucket, strict=True) if b not in frame]
        if self.n >= 4 and pairs:
            self.framed.append((weight, 1.0 - len(items) / len(pairs), tokens))
        self.seen.update(set(bucket))
        self.n += 1
        if items:
            self._direct(items, weight)

    def _direct(self, items: list[int], weight: float) -> None:
        bits = np.array([[1 if h >> b & 1 else -1 for b in range(DIMENSIONS)] for h in items])
        total = bits.sum(axis=0)
        sign = sum(1 << b for b in range(DIMENSIONS) if total[b] > 0)
        norm = float(np.linalg.norm(total))
        if norm > 0.0:
            self.units.append((weight, total / norm))
        recent = [s for _, s in self.signs[-RECENT:]]
        if any((s ^ sign).bit_count() <= NEAR_BITS for s in recent):
            self.near += weight
        self.signs.append((weight, sign))

    def features(self) -> dict[str, float]:
        """Features of the pieces so far."""
        total = math.fsum(w for w, _ in self.pieces)
        out = {
            "near_duplicate_share": self.near / total if total else math.nan,
            "frame_share": mean((w, s) for w, s, _ in self.framed),
            "item_tokens": mean((w, math.log1p(k * (1.0 - s))) for w, s, k in self.framed),
            "piece_tokens": mean((w, math.log1p(k)) for w, k in self.pieces),
        }
        sides = [Counter(side) for side in zip(*self.edges, strict=True)] or [Counter()] * 2
        if all(len(side) <= FRAMES for side in sides):
            top = max((n for side in sides for n in side.values()), default=math.nan)
            out["opening_share"] = top / len(self.pieces) if total else math.nan
        names = ("coverage", "spread", "topic_entropy", "topic_stickiness")
        if len(self.signs) < 4:
            return out | dict.fromkeys(names, math.nan)
        filled = len({s % 2048 for _, s in self.signs})
        n = len(self.signs)
        out["coverage"] = min(filled / (2048 * (1 - (1 - 1 / 2048) ** n)), 2.0)
        directed = math.fsum(w for w, _ in self.units)
        center = np.sum([w * u for w, u in self.units], axis=0) / directed
        out["spread"] = math.sqrt(max(1.0 - float(center @ center), 0.0))
        topics = [(w, s >> 60) for w, s in self.signs]
        p = np.bincount([t for _, t in topics], [w for w, _ in topics], TOPICS)
        p = p / p.sum()
        out["topic_entropy"] = float(-sum(x * math.log(x) for x in p if x > 0)) / math.log(TOPICS)
        steps = zip(topics[1:], topics, strict=False)
        same = sum(w for (w, t), (_, before) in steps if t == before)
        out["topic_stickiness"] = same / math.fsum(w for w, _ in topics) - float(p @ p)
        return out


def expected(facts: list[Fact]) -> list[dict[str, float]]:
    """Features after each fact."""
    oracle, out = Oracle(), []
    asked: list[tuple[float, float]] = []
    for f in facts:
        left = list(f.fresh)
        for text in f.asked:
            new = text in left
            asked.append((f.weight, float(new)))
            if new:
                left.remove(text)
                oracle.add(text, f.weight)
        want = oracle.features() | {"distinct_share": mean(asked)}
        if "opening_share" in want and asked and oracle.framed:
            top = max(want["frame_share"], want["opening_share"])
            want["slot_sweep"] = top * want["distinct_share"]
        out.append(want)
    return out


@settings(max_examples=25, deadline=None)
@given(histories())
def test_equals_the_batch_computation(history: tuple[list[ApiRequest], list[float]]) -> None:
    """After every request, each feature equals the recomputation over the pieces so far."""
    for got, want in zip(prefixes(*history, CUES), expected(told(*history)), strict=True):
        agree(got, want)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_equals_on_made_up_text(seed: int, framed: bool) -> None:
    """The same on sixty generated questions, under one frame or under none."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 30))) for _ in range(60)]
    if framed:
        texts = [f"Write one hard question about {t} and give the answer as JSON" for t in texts]
    requests = [ask(t) for t in texts]
    times = [T0_S + 3600.0 * i for i in range(60)]
    for got, want in zip(
        prefixes(requests, times, CUES), expected(told(requests, times)), strict=True
    ):
        agree(got, want)


def test_a_swept_frame() -> None:
    """One frame over many items: high frame and opening share, all distinct, little else."""
    swept = [
        ask(f"Write one hard exam question about the {w} in {t} and give the answer as JSON")
        for w in WORDS
        for t in FIELDS
    ]
    got = features_after(swept)
    assert got["distinct_share"] == 1.0
    assert got["frame_share"] > 0.6
    assert got["opening_share"] > 0.95
    assert got["slot_sweep"] > 0.9
    assert got["spread"] > 0.7


def test_one_question_again_and_again() -> None:
    """A hundred times the same question: nothing new after the first."""
    got = features_after([ask("what is the time now") for _ in range(100)])
    assert got["distinct_share"] == pytest.approx(0.01, abs=1e-3)
    assert math.isnan(got["coverage"])


def test_a_pair_counts_once_a_piece() -> None:
    """A text that repeats itself does not make its own words the account's frame."""
    loud = " ".join(["one two three four five six seven eight nine ten eleven twelve"] * 5)
    quiet = [" ".join(WORDS[k : k + 8]) for k in range(0, 12, 3)]
    got = features_after([ask(loud), *(ask(t) for t in quiet), ask(loud + " thirteen")])
    assert got["frame_share"] < 0.2


def test_empty_texts_are_not_repeats() -> None:
    """Messages without text (a picture, say) are unknown, not repeats of each other."""
    got = features_after([ask("") for _ in range(12)])
    assert math.isnan(got["distinct_share"])
    assert math.isnan(got["piece_tokens"])
    assert not got["resample_share"] > 0.0


def test_without_text_unknown() -> None:
    """A log without texts leaves every diversity feature unknown."""
    got = features_after([ask(messages=None) for _ in range(12)])
    assert all(math.isnan(got[name]) for name in FEATURES)


def test_a_long_history_of_frames_is_halved() -> None:
    """Past the cap the counts are halved, and a frame that stays is a frame still."""
    swept = [ask(f"Write one hard question about {w} and {x}") for w in WORDS for x in WORDS]
    state, _ = feed(swept)
    assert FRAME_CAP // 2 <= row_of(state)["frame_n"] < FRAME_CAP
    assert features_of(state)["frame_share"] > 0.5


def test_a_history_that_was_never_sent_leaves_new_and_old_unknown() -> None:
    """Where replayed turns are mostly unknown the ring cannot tell new from old: how much is
    distinct is unknown then, and not "all of it"; a history that was sent before tells it."""
    foreign = [
        talk(*(("user", f"{w} {x}") for x in WORDS[:3]), ("assistant", "so"), ("user", f"and {w}?"))
        for w in WORDS
    ]
    got = features_after(foreign)
    assert math.isnan(got["distinct_share"])
    assert math.isnan(got["slot_sweep"])
    assert got["piece_tokens"] > 0.0
    turns: list[tuple[str, str]] = []
    own = []
    for w in WORDS:
        turns += [("user", f"and {w}?")]
        own.append(talk(*turns))
        turns += [("assistant", "so")]
    assert features_after(own)["distinct_share"] == 1.0
