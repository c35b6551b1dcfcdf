"""Trains the cue model: one logistic head an intent over hashed n-grams, weights in int8."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, hstack
from sklearn.linear_model import LogisticRegression

from detector.cues import HashedCues
from detector.elicit import ElicitReader
from detector.fingerprint import ngram_rows
from detector.intents import ELICIT, INTENTS
from models.texts import TextRow
from models.train_elicit import CONCEPT_SCALE, concept_matrix, text_pieces

BUCKETS = 1 << 17
STRENGTH = 30.0
"""Inverse L2 strength, chosen by program-wise cross-validation on bank and templates."""

ELICIT_STRENGTH = 100.0
"""The same for the elicitation head, which also has concept features."""

FRAME_SHARE = 0.1
"""An n-gram in this share of a captured account's texts belongs to a frame."""


FittedHeads = dict[tuple[int, bytes], tuple[NDArray[np.float32], float]]
"""Weights and bias of a head, by intent and the bytes of its row numbers."""


def ngram_matrix(texts: Sequence[str]) -> csr_matrix:
    """Sparse n-gram matrix, shape (len(texts), BUCKETS), as `detector.cues` weighs it."""
    indptr, indices, weights = ngram_rows(*text_pieces(texts), BUCKETS)
    matrix = csr_matrix((weights, indices, indptr), shape=(len(texts), BUCKETS))
    matrix.sum_duplicates()
    return matrix


def bags(
    rows: Sequence[TextRow], reader: ElicitReader | None = None
) -> tuple[csr_matrix, NDArray[np.int8], NDArray[np.float64], list[TextRow]]:
    """Mean n-gram vectors of bags of texts.

    With a reader, its concept features follow the n-grams as further columns.

    Returns:
        matrix, shape (b, BUCKETS or BUCKETS + N_CONCEPT_FEATURES); labels, int8, shape
        (b, len(INTENTS)); weights, shape (b,); the first row of each bag.
    """
    order = {name: i for i, name in enumerate(dict.fromkeys(r.bag for r in rows))}
    bag = np.array([order[r.bag] for r in rows])
    first = [rows[i] for i in np.unique(bag, return_index=True)[1]]
    texts = [r.text for r in rows]
    matrix = ngram_matrix(texts)
    if reader is not None:
        matrix = hstack([matrix, concept_matrix(texts, reader)]).tocsr()
    share = 1.0 / np.bincount(bag)[bag]
    pool = csr_matrix((share, (bag, np.arange(len(rows)))), shape=(len(order), len(rows)))
    mean = (pool @ matrix).tocsr()
    masked = np.array([r.frame_only for r in first])
    if masked.any():
        present = matrix.copy()
        present.data[:] = 1.0
        common = (pool @ present).tocsr()
        # of a text alone in its bag, or of the only one with an n-gram, nothing is a frame
        least = np.maximum(FRAME_SHARE, 1.5 / np.bincount(bag))
        common.data = (common.data >= np.repeat(least, np.diff(common.indptr))).astype(np.float64)
        mean = (_rows_scaled(mean, ~masked) + _rows_scaled(mean.multiply(common), masked)).tocsr()
    return mean, np.stack([r.labels() for r in first]), np.array([r.weight for r in first]), first


def _rows_scaled(matrix: csr_matrix, mask: NDArray[np.bool_]) -> csr_matrix:
    """Rows where `mask` is set, the others emptied."""
    kept: csr_matrix = (diags_array(mask.astype(np.float64)) @ matrix).tocsr()
    return kept


def fit_heads(
    matrix: csr_matrix,
    labels: NDArray[np.int8],
    weights: NDArray[np.float64],
    step: Callable[[str], None] = lambda name: None,
    heads: Sequence[int] = range(len(INTENTS)),
    *,
    rows: NDArray[np.intp] | None = None,
    fitted: FittedHeads | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """L2-regularised logistic regression, one head an intent, classes balanced.

    Args:
        matrix: shape (n, BUCKETS or more); only the elicitation head sees more than n-grams.
        labels: int8, shape (n, len(INTENTS)): 1, 0, or -1 where unsure (left out of that head).
        weights: float64, shape (n,).
        step: called with each intent's name when its head is done.
        rows: the rows to learn from; default: all.
        fitted: heads of this very matrix that were fitted before. A head whose rows are those of
            an earlier one is taken from there (leaving a captured tool out does not touch the heads
            that no captured tool has a label for), and new ones are added.

    Returns:
        float32 weights, shape (columns, len(INTENTS)), and biases, shape (len(INTENTS),).
    """
    out = np.zeros((matrix.shape[1], len(INTENTS)), np.float32)
    bias = np.zeros(len(INTENTS), np.float32)
    grams = matrix[:, :BUCKETS]
    among = np.arange(matrix.shape[0]) if rows is None else rows
    fitted = {} if fitted is None else fitted
    for k in heads:
        seen, strength = (matrix, ELICIT_STRENGTH) if k == ELICIT else (grams, STRENGTH)
        known = among[labels[among, k] >= 0]
        y = labels[known, k]
        if len(np.unique(y)) < 2:
            continue
        key = k, known.tobytes()
        if key not in fitted:
            head = LogisticRegression(
                C=strength, class_weight="balanced", solver="liblinear", random_state=k, tol=1e-3
            )
            head.fit(seen[known], y, sample_weight=weights[known])
            fitted[key] = head.coef_[0].astype(np.float32), float(head.intercept_[0])
        out[: seen.shape[1], k], bias[k] = fitted[key]
        step(INTENTS[k])
    return out, bias


def quantise(
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    version: str,
    reader: ElicitReader | None = None,
) -> HashedCues:
    """The model as the detector reads it: int8 weights with one scale an intent."""
    if reader is not None:
        concepts = weights[BUCKETS:, ELICIT] * np.float32(CONCEPT_SCALE)
        reader = replace(reader, weights=np.ascontiguousarray(concepts))
    weights = weights[:BUCKETS]
    scale = np.maximum(np.abs(weights).max(axis=0), 1e-9) / 127.0
    return HashedCues(
        version,
        np.ascontiguousarray(np.rint(weights / scale), np.int8),
        scale.astype(np.float32),
        bias,
        reader,
    )


def train_cues(
    rows: Sequence[TextRow],
    version: str,
    step: Callable[[str], None] = lambda name: None,
    reader: ElicitReader | None = None,
) -> HashedCues:
    """Trains on labelled texts; same rows, same model."""
    matrix, labels, weights, _ = bags(rows, reader)
    return quantise(*fit_heads(matrix, labels, weights, step), version, reader)
