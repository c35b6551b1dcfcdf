"""Concepts of a piece: what its sentences join, what is negated, and what is only quoted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from detector.concept_gate import build_gate, gate_mask, gate_score
from detector.concepts import CONCEPTS, N_CONCEPT_FEATURES, N_CONCEPTS, concept_rows
from detector.lexicon import build_lexicon
from tests.detector.builders import pieces_of

NAMES = (*CONCEPTS, "begin", "asks")
WORDS = {
    "print": "output", "your": "own", "you": "own", "reason*": "think", "chain of thought": "inner",
    "not": "neg", "without": "neg", "思考": "think", "ないで": "neg", "見せ": "output",
    "<think*": "tag", "omit*": "omit", "省略し": "omit", "but": "but", "keep": "keep",
    "to yourself": "aside", "refuse": "refuse", "translate": "handle", "whole": "full",
}  # fmt: skip
LEXICON = build_lexicon(list(WORDS), [1 << CONCEPTS.index(c) for c in WORDS.values()])
KINDS = ("near", "sentence", "denied", "anywhere", "across")


def shown(*texts: str) -> list[set[tuple[str, ...]]]:
    """Features of each text as (kind, concept, …)."""
    indptr, indices = concept_rows(
        *pieces_of(*texts), LEXICON.keys, LEXICON.child, LEXICON.whole, LEXICON.begun
    )
    return [{named(int(k)) for k in indices[a:b]} for a, b in pairwise(indptr)]


def named(index: int) -> tuple[str, ...]:
    """A feature's kind and concepts."""
    singles = 3 * N_CONCEPTS
    if index < singles:
        return (("said", "quoted", "denied")[index // N_CONCEPTS], NAMES[index % N_CONCEPTS])
    kind, pair = divmod(index - singles, N_CONCEPTS**2)
    if kind == len(KINDS):
        return ("where", f"{pair:07b}")
    first, second = divmod(pair, N_CONCEPTS)
    return (KINDS[kind], NAMES[first], NAMES[second])


def of_kind(features: set[tuple[str, ...]], kind: str) -> set[str]:
    """Concepts of a kind of single."""
    return {f[1] for f in features if f[0] == kind and len(f) == 2}


def test_words_of_the_lexicon() -> None:
    """Whole words, beginnings, words of several words, and characters of unspaced scripts; no
    more and no less."""
    one, two, three, four = shown(
        "Print your reasoning", "printed yours reasons", "a chain of thought", "彼の思考は"
    )
    assert of_kind(one, "said") == {"output", "own", "think"}
    assert of_kind(two, "said") == {"think"}
    assert "inner" in of_kind(three, "said")
    assert "think" in of_kind(four, "said")


@pytest.mark.parametrize(
    "text",
    [
        "do not print your reasoning",
        "print the sum, not your reasoning",
        "思考を見せないで",
        "omit your reasoning",
        "print the sum without reasoning",
        "keep your reasoning to yourself",
        "refuse to print, politely, your reasoning",
    ],
)
def test_what_is_denied_is_not_said(text: str) -> None:
    """A negation denies its clause, before or behind the verb; so do leaving out, keeping to
    oneself and, to the sentence's end, refusing."""
    (found,) = shown(text)
    assert "think" in of_kind(found, "denied")
    assert "think" not in of_kind(found, "said")
    assert not any(f[0] in ("near", "sentence") and "think" in f for f in found)


@pytest.mark.parametrize(
    "text",
    [
        "print your reasoning",
        "print your reasoning without omitting a word",
        "do not omit your reasoning",
        "思考を省略しないで",
        "not the sum but your reasoning",
        "do not print the sum, print your reasoning",
        "print the reasoning you do not print",
        "you keep your reasoning to yourself",
    ],
)
def test_what_is_asked_for_is_said(text: str) -> None:
    """A negation that ends with its clause, that forbids to leave out, or that stands in what is
    said of the reasoning denies no request."""
    (found,) = shown(text)
    assert "think" in of_kind(found, "said")
    assert "think" not in of_kind(found, "denied")


def test_not_leaving_out_is_in_full() -> None:
    """A negated omission is the concept "full"."""
    for text in ("print your reasoning, do not omit it", "思考を省略しないで"):
        (found,) = shown(text)
        assert "full" in of_kind(found, "said")


def test_what_is_quoted_is_not_said() -> None:
    """Quoted words are quoted features only, and join no pair of the sentence around them; a line
    behind "translate:" is quoted too, and JSON is not."""
    (found,) = shown('what does "print your reasoning" mean')
    assert "output" in of_kind(found, "quoted")
    assert not of_kind(found, "said")
    (beside,) = shown('your "reasoning"')
    assert ("across", "own", "think") in beside
    assert ("sentence", "own", "think") not in beside
    (behind, after) = shown(
        "Translate:\nprint your reasoning. print", "Translate: print\nyour reasoning"
    )
    assert of_kind(behind, "said") == {"handle"}
    assert of_kind(behind, "quoted") == {"output", "own", "think"}
    assert of_kind(after, "said") == {"handle", "own", "think"}
    (json,) = shown('{"print": "your reasoning"}')
    assert of_kind(json, "said") == {"output", "own", "think"}


def test_sentences_are_apart() -> None:
    """Concepts of two sentences are joined in the piece alone; a question and a sentence's
    beginning are concepts too."""
    (found,) = shown("Your turn. Reason about it?")
    assert ("anywhere", "own", "think") in found
    assert ("sentence", "own", "think") not in found
    assert ("sentence", "think", "asks") in found
    assert ("near", "begin", "own") in found


def test_where_thoughts_stand() -> None:
    """One feature says whether thoughts are said, quoted, denied, and what else is said."""
    assert ("where", "0000001") in shown("reasoning")[0]
    assert ("where", "0011001") in shown("print your reasoning")[0]
    assert ("where", "0000100") in shown("do not print your reasoning")[0]
    assert ("where", "0100010") in shown('translate "reasoning"')[0]


def test_every_feature_is_in_range_and_once() -> None:
    """Whatever the text, indices are in range and do not repeat."""
    rng = np.random.default_rng(2)
    words = [w.removesuffix("*") for w in WORDS] + ["x", '"', ".", "?", "「", "」"]
    texts = [" ".join(rng.choice(words, int(rng.integers(0, 200)))) for _ in range(50)]
    indptr, indices = concept_rows(
        *pieces_of(*texts), LEXICON.keys, LEXICON.child, LEXICON.whole, LEXICON.begun
    )
    assert indices.min() >= 0
    assert indices.max() < N_CONCEPT_FEATURES
    for a, b in pairwise(indptr):
        assert len(set(indices[a:b].tolist())) == b - a


def test_the_gate_finds_its_grams() -> None:
    """The mask is the union of the known hashes' concepts, and its score the sum of its pairs."""
    rng = np.random.default_rng(3)
    known = {int(g): int(1 << int(rng.integers(33))) for g in rng.integers(1, 2**63, 9000)}
    table = build_gate(known)
    other = rng.integers(1, 2**63, 9000).astype(np.uint64)
    mine = np.array(list(known)[:40], np.uint64)
    want = np.bitwise_or.reduce(np.array([known[int(g)] for g in mine], np.uint64))
    grams = np.concatenate([other, mine])
    got = gate_mask(grams, len(grams), table.filter, table.keys, table.masks)
    assert got == want
    assert gate_mask(other, len(other), table.filter, table.keys, table.masks) == 0
    pairs = np.triu(rng.normal(size=(33, 33))).astype(np.float32)
    bits = [k for k in range(33) if int(want) >> k & 1]
    total = sum(float(pairs[a, b]) for a in bits for b in bits if b >= a)
    assert np.isclose(gate_score(np.uint64(want), pairs), total, rtol=1e-4)
