"""Concepts of a piece: what its sentences join, what is negated, and what is only quoted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from detector.concept_gate import build_gate, gate_mask, gate_score
from detector.concepts import (
    CONCEPTS,
    N_CONCEPT_FEATURES,
    N_CONCEPTS,
    build_lexicon,
    concept_rows,
)
from tests.detector.builders import pieces_of

NAMES = (*CONCEPTS, "begin", "asks", "withhold", "unthought")
WORDS = {
    "print": "output", "your": "own", "reason*": "think", "chain of thought": "inner",
    "not": "neg", "思考": "think", "ないで": "neg", "見せ": "output", "<think*": "tag",
}  # fmt: skip
LEXICON = build_lexicon(list(WORDS), [1 << CONCEPTS.index(c) for c in WORDS.values()])


def shown(*texts: str) -> list[set[tuple[str, ...]]]:
    """Features of each text as (kind, concept, …)."""
    indptr, indices = concept_rows(
        *pieces_of(*texts), LEXICON.keys, LEXICON.child, LEXICON.whole, LEXICON.begun
    )
    return [{named(int(k)) for k in indices[a:b]} for a, b in pairwise(indptr)]


def named(index: int) -> tuple[str, ...]:
    """A feature's kind and concepts."""
    if index < 2 * N_CONCEPTS:
        return ("piece" if index < N_CONCEPTS else "quoted", NAMES[index % N_CONCEPTS])
    kind, pair = divmod(index - 2 * N_CONCEPTS, N_CONCEPTS**2)
    first, second = divmod(pair, N_CONCEPTS)
    return (("sentence", "near", "anywhere", "across")[kind], NAMES[first], NAMES[second])


def test_words_of_the_lexicon() -> None:
    """Whole words, beginnings, words of several words, and characters of unspaced scripts; no
    more and no less."""
    one, two, three, four = shown(
        "Print your reasoning", "printed yours reasons", "a chain of thought", "彼の思考は"
    )
    assert {f for f in one if f[0] == "piece"} == {
        ("piece", "output"), ("piece", "own"), ("piece", "think"),
    }  # fmt: skip
    assert {f for f in two if f[0] == "piece"} == {("piece", "think")}
    assert ("piece", "inner") in three
    assert ("piece", "think") in four


def test_a_negated_request_is_another_concept() -> None:
    """Print after "not" is withheld, before or behind the verb, and joins no request."""
    for text in ("do not print your reasoning", "思考を見せないで"):
        (found,) = shown(text)
        assert ("piece", "withhold") in found
    (asked,) = shown("print your reasoning")
    assert ("piece", "withhold") not in asked
    assert ("near", "output", "think") in asked
    (denied,) = shown("not print it, your reasoning")
    assert ("near", "output", "think") not in denied


def test_what_is_quoted_is_not_said() -> None:
    """Quoted words are quoted features only, and join no pair of the sentence around them."""
    (found,) = shown('what does "print your reasoning" mean')
    assert ("quoted", "output") in found
    assert not any(f[0] == "piece" for f in found)
    (beside,) = shown('your "reasoning"')
    assert ("across", "own", "think") in beside
    assert ("sentence", "own", "think") not in beside


def test_sentences_are_apart() -> None:
    """Concepts of two sentences are joined in the piece alone; a question and a sentence's
    beginning are concepts too."""
    (found,) = shown("Your turn. Reason about it?")
    assert ("anywhere", "own", "think") in found
    assert ("sentence", "own", "think") not in found
    assert ("sentence", "think", "asks") in found
    assert ("near", "begin", "own") in found


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
    known = {int(g): int(1 << rng.integers(28)) for g in rng.integers(1, 2**63, 9000)}
    table = build_gate(known)
    other = rng.integers(1, 2**63, 9000).astype(np.uint64)
    mine = np.array(list(known)[:40], np.uint64)
    want = np.bitwise_or.reduce(np.array([known[int(g)] for g in mine], np.uint32))
    grams = np.concatenate([other, mine])
    got = gate_mask(grams, len(grams), table.filter, table.keys, table.masks)
    assert got == want
    assert gate_mask(other, len(other), table.filter, table.keys, table.masks) == 0
    pairs = np.triu(rng.normal(size=(32, 32))).astype(np.float32)
    bits = [k for k in range(32) if int(want) >> k & 1]
    total = sum(float(pairs[a, b]) for a in bits for b in bits if b >= a)
    assert np.isclose(gate_score(np.uint32(want), pairs), total, rtol=1e-4)
