"""Trains the elicitation reader's gate, and turns texts into its concept features."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from detector.concept_gate import gate_masks
from detector.concepts import N_CONCEPT_FEATURES, concept_rows
from detector.elicit import GATE_CONCEPTS, ElicitReader
from detector.hashing import K2, combine
from detector.tokens import MAX_TOKENS, STEM_CHARS, tokenize
from models.concept_words import concept_words
from models.texts import TextRow
from streams.columns import PIECE, USER

CONCEPT_SCALE = 0.2
"""Value of a concept feature beside n-grams of 1/√m: how freely its weight may grow."""

GATE_STRENGTH = 0.1
GATE_GRAMS, GATE_THRESHOLD = 0.4, -1.8
"""The gate's score is that of its concepts plus this share of the n-grams' logit; from the
threshold on a piece is read. Of pairs kept back it loses 2 % of the requests that reading raises
and lets 4 % of composed programs' texts through, 8 % of a composed day."""

_WORD = re.compile(r"[^\W\d_]+")


def text_pieces(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.void]]:
    """Texts as one buffer with a user piece each."""
    encoded = [t.encode("utf-8", "surrogatepass") for t in texts]
    pieces = np.zeros(len(texts), PIECE)
    stops = np.cumsum([len(e) for e in encoded])
    pieces["stop"] = stops
    pieces["start"][1:] = stops[:-1]
    pieces["role"] = USER
    return np.frombuffer(b"".join(encoded), np.uint8), pieces


def fit_reader(rows: Sequence[TextRow], elicitation_groups: frozenset[str]) -> ElicitReader:
    """A reader whose gate is trained and whose concept weights are 0.

    The gate learns requests for reasoning against ordinary texts; hard negatives of the corpus
    (`elicitation_groups`) are left out, since reading is what tells them apart.
    """
    words = concept_words()
    grams = gate_grams(words, (r.text for r in rows))
    order = sorted(grams)
    reader = ElicitReader(
        tuple(words),
        np.array(list(words.values()), np.uint64),
        np.array(order, np.uint64),
        np.array([grams[g] for g in order], np.uint64),
        np.zeros((GATE_CONCEPTS, GATE_CONCEPTS), np.float32),
        np.zeros(2, np.float32),
        np.zeros(N_CONCEPT_FEATURES, np.float32),
    )
    known = [r for r in rows if r.intents.get("elicit") is not None]
    wanted = np.array([bool(r.intents["elicit"]) for r in known], np.bool_)
    used = wanted | np.array([r.group not in elicitation_groups for r in known], np.bool_)
    masks = _masks([r.text for r in known], reader)
    bits = (masks[:, None] >> np.arange(GATE_CONCEPTS, dtype=np.uint64)) & np.uint64(1)
    upper = np.triu_indices(GATE_CONCEPTS)
    both = csr_matrix((bits[:, upper[0]] & bits[:, upper[1]]).astype(np.float32))
    head = LogisticRegression(
        C=GATE_STRENGTH, class_weight="balanced", solver="liblinear", random_state=0, tol=1e-3
    )
    head.fit(both[used], wanted[used], sample_weight=np.array([r.weight for r in known])[used])
    pairs = np.zeros((GATE_CONCEPTS, GATE_CONCEPTS), np.float32)
    pairs[upper] = head.coef_[0]
    least = np.float32(GATE_THRESHOLD - head.intercept_[0])
    return replace(reader, pairs=pairs, gate=np.array([GATE_GRAMS, least], np.float32))


def gate_grams(words: Mapping[str, int], texts: Iterable[str]) -> dict[int, int]:
    """N-gram hashes that speak for the lexicon's words, with their concepts as bits.

    A word stands for itself, an open-ended one for its stem, or, where it is shorter than a stem,
    for the words of `texts` that begin so; of several words or characters the first two count.
    """
    out: dict[int, int] = {}
    short: dict[str, int] = {}

    def speaks(gram: np.uint64, mask: int) -> None:
        out[int(gram)] = out.get(int(gram), 0) | mask

    for word, mask in words.items():
        if word[0] == "<":
            continue
        bare = word.removesuffix("*")
        tokens = _tokens(bare)
        if len(tokens) > 1:
            speaks(combine(tokens[0], tokens[1]), mask)
        elif len(tokens) == 1:
            speaks(tokens[0], mask)
            if bare != word and len(bare) >= STEM_CHARS:
                speaks(_tokens(bare[:STEM_CHARS])[0] ^ K2, mask)
            elif bare != word:
                short[bare] = short.get(bare, 0) | mask
    known = {w for text in texts for w in _WORD.findall(text.lower())}
    for word in sorted(known):
        for size in range(2, STEM_CHARS):
            if len(word) > size and word[:size] in short:
                for token in _tokens(word)[:1]:
                    speaks(token, short[word[:size]])
    return out


def _tokens(word: str) -> NDArray[np.uint64]:
    raw = np.frombuffer(word.encode("utf-8"), np.uint8)
    tokens, stems = np.empty(MAX_TOKENS, np.uint64), np.empty(MAX_TOKENS, np.uint64)
    return tokens[: tokenize(raw, 0, len(raw), tokens, stems)]


def _masks(texts: Sequence[str], reader: ElicitReader) -> NDArray[np.uint64]:
    table = reader.gate_table()
    masks: NDArray[np.uint64] = gate_masks(
        *text_pieces(texts), table.filter, table.keys, table.masks
    )
    return masks


def concept_matrix(texts: Sequence[str], reader: ElicitReader) -> csr_matrix:
    """Concept features, shape (len(texts), N_CONCEPT_FEATURES), each CONCEPT_SCALE."""
    lexicon = reader.lexicon()
    indptr, indices = concept_rows(
        *text_pieces(texts), lexicon.keys, lexicon.child, lexicon.whole, lexicon.begun
    )
    values = np.full(len(indices), CONCEPT_SCALE, np.float32)
    return csr_matrix((values, indices, indptr), shape=(len(texts), N_CONCEPT_FEATURES))
