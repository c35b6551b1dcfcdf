"""Trains the cue model: one logistic head an intent over hashed n-grams, weights in int8."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import SGDClassifier

from detector.cues import HashedCues
from detector.fingerprint import ngram_rows
from detector.intents import INTENTS
from models.texts import TextRow
from streams.batch import PIECE, USER

BUCKETS = 1 << 17
ALPHA = 3e-6
EPOCHS = 12


def ngram_matrix(texts: Sequence[str]) -> csr_matrix:
    """Sparse n-gram matrix, shape (len(texts), BUCKETS), as `detector.cues` weighs it."""
    encoded = [t.encode("utf-8", "surrogatepass") for t in texts]
    pieces = np.zeros(len(texts), PIECE)
    stops = np.cumsum([len(e) for e in encoded])
    pieces["stop"] = stops
    pieces["start"][1:] = stops[:-1]
    pieces["role"] = USER
    buffer = np.frombuffer(b"".join(encoded), np.uint8)
    indptr, indices, weights = ngram_rows(buffer, pieces, BUCKETS)
    matrix = csr_matrix((weights, indices, indptr), shape=(len(texts), BUCKETS))
    matrix.sum_duplicates()
    return matrix


def fit_heads(
    matrix: csr_matrix,
    labels: NDArray[np.int8],
    weights: NDArray[np.float64],
    step: Callable[[str], None] = lambda name: None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Averaged logistic regression by stochastic gradient, one head an intent.

    Args:
        matrix: shape (n, BUCKETS).
        labels: int8, shape (n, len(INTENTS)): 1, 0, or -1 where unsure (left out of that head).
        weights: float64, shape (n,).
        step: called with each intent's name when its head is done.

    Returns:
        float32 weights, shape (BUCKETS, len(INTENTS)), and biases, shape (len(INTENTS),).
    """
    out = np.zeros((matrix.shape[1], len(INTENTS)), np.float32)
    bias = np.zeros(len(INTENTS), np.float32)
    for k, name in enumerate(INTENTS):
        known = np.flatnonzero(labels[:, k] >= 0)
        y, w = labels[known, k], weights[known].copy()
        mass = [w[y == c].sum() for c in (0, 1)]
        if not min(mass) > 0.0:
            continue
        for c in (0, 1):  # a rare intent counts up to a quarter of all weight
            share = mass[c] / sum(mass)
            w[y == c] *= max(share, 0.25) / share
        head = SGDClassifier(
            loss="log_loss", alpha=ALPHA, max_iter=EPOCHS, tol=None, average=True,
            random_state=k, learning_rate="optimal",
        )  # fmt: skip
        head.fit(matrix[known], y, sample_weight=w / w.mean())
        out[:, k] = head.coef_[0]
        bias[k] = head.intercept_[0]
        step(name)
    return out, bias


def quantise(
    weights: NDArray[np.float32], bias: NDArray[np.float32], version: str
) -> HashedCues:
    """The model as the detector reads it: int8 weights with one scale an intent."""
    scale = np.maximum(np.abs(weights).max(axis=0), 1e-9) / 127.0
    return HashedCues(
        version,
        np.ascontiguousarray(np.rint(weights / scale), np.int8),
        scale.astype(np.float32),
        bias,
    )


def train_cues(
    rows: Sequence[TextRow], version: str, step: Callable[[str], None] = lambda name: None
) -> HashedCues:
    """Trains on labelled texts; same rows, same model."""
    matrix = ngram_matrix([r.text for r in rows])
    labels = np.stack([r.labels() for r in rows])
    return quantise(*fit_heads(matrix, labels, np.array([r.weight for r in rows]), step), version)
