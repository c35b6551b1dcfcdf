"""Cues: a few intent probabilities for each new piece of text, in microseconds.

A hashed n-gram model, one int8 weight per bucket and intent: logit = bias + scale · Σ w / √m over
the m n-grams of the piece's head and tail. Training is in `models.train_cues`; this file only
reads the weights, so the model can be replaced by any other that fills the same arrays.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detector.errors import ModelError
from detector.fingerprint import MAX_TOKENS, combine, mandates_tag, ngrams, read_tokens
from detector.intents import INTENTS, N_INTENTS

SAMPLE = 64
"""Token pairs kept of a piece for frame and item features: the first 44 and the last 20."""
SAMPLE_HEAD = 44
OPENING_TOKENS = 5

LOGIT_BOUND = 8.0


@dataclass(frozen=True, slots=True)
class PieceReadings:
    """What was read from a batch's analysed pieces; `slot[p]` is the row of piece p or -1.

    Attributes:
        slot: int32, shape (p,).
        logits: float32, shape (a, N_INTENTS), each in [-LOGIT_BOUND, LOGIT_BOUND].
        sample: uint64, shape (a, SAMPLE): hashes of token pairs.
        n_sample: int32, shape (a,): how many of them are set.
        n_tokens: int32, shape (a,).
        opening: uint64, shape (a,): hash of the first words, numbers masked.
        tag: bool, shape (a,): names a thinking tag.
    """

    slot: NDArray[np.int32]
    logits: NDArray[np.float32]
    sample: NDArray[np.uint64]
    n_sample: NDArray[np.int32]
    n_tokens: NDArray[np.int32]
    opening: NDArray[np.uint64]
    tag: NDArray[np.bool_]


class CueModel(Protocol):
    """The seam between text and the rest: anything that fills PieceReadings."""

    @property
    def version(self) -> str: ...

    def read(
        self, text: NDArray[np.uint8], pieces: NDArray[np.void], wanted: NDArray[np.bool_]
    ) -> PieceReadings: ...


@dataclass(frozen=True, slots=True)
class HashedCues:
    """The hashed n-gram cue model.

    Attributes:
        version: version named on the card.
        weights: int8, shape (buckets, N_INTENTS).
        scale: float32, shape (N_INTENTS,).
        bias: float32, shape (N_INTENTS,).
    """

    version: str
    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]

    def read(
        self, text: NDArray[np.uint8], pieces: NDArray[np.void], wanted: NDArray[np.bool_]
    ) -> PieceReadings:
        """Readings of the pieces where `wanted` (bool, shape (p,)) is set."""
        slot = np.where(wanted, np.cumsum(wanted) - 1, -1).astype(np.int32)
        n = int(wanted.sum())
        out = PieceReadings(
            slot,
            np.zeros((n, N_INTENTS), np.float32),
            np.zeros((n, SAMPLE), np.uint64),
            np.zeros(n, np.int32),
            np.zeros(n, np.int32),
            np.zeros(n, np.uint64),
            np.zeros(n, np.bool_),
        )
        _read(
            text, pieces, slot, self.weights, self.scale, self.bias, out.logits, out.sample,
            out.n_sample, out.n_tokens, out.opening, out.tag,
        )  # fmt: skip
        return out


@njit(cache=True)
def _read(
    text: NDArray[np.uint8],
    pieces: NDArray[np.void],
    slot: NDArray[np.int32],
    weights: NDArray[np.int8],
    scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    logits: NDArray[np.float32],
    sample: NDArray[np.uint64],
    n_sample: NDArray[np.int32],
    n_tokens: NDArray[np.int32],
    opening: NDArray[np.uint64],
    tag: NDArray[np.bool_],
) -> None:
    tokens = np.empty(MAX_TOKENS, np.uint64)
    stems = np.empty(MAX_TOKENS, np.uint64)
    grams = np.empty(5 * MAX_TOKENS + 8, np.uint64)
    sums = np.zeros(N_INTENTS, np.int32)
    buckets = np.uint64(weights.shape[0])
    for p in range(pieces.shape[0]):
        a = slot[p]
        if a < 0:
            continue
        start, stop = pieces[p].start, pieces[p].stop
        n = read_tokens(text, start, stop, tokens, stems)
        m = ngrams(tokens, stems, n, grams)
        sums[:] = 0
        for j in range(m):
            bucket = grams[j] % buckets
            for k in range(N_INTENTS):
                sums[k] += weights[bucket, k]
        norm = np.float32(1.0) / np.float32(np.sqrt(max(m, 1)))
        for k in range(N_INTENTS):
            v = bias[k] + scale[k] * np.float32(sums[k]) * norm
            logits[a, k] = min(max(v, -LOGIT_BOUND), LOGIT_BOUND)
        first = np.uint64(1)
        for i in range(min(n, OPENING_TOKENS)):
            first = combine(first, tokens[i])
        opening[a] = first
        n_tokens[a] = n
        pairs = max(n - 1, 0)
        if pairs <= SAMPLE:
            for i in range(pairs):
                sample[a, i] = combine(tokens[i], tokens[i + 1])
            n_sample[a] = pairs
        else:
            for i in range(SAMPLE):
                j = i if i < SAMPLE_HEAD else pairs - SAMPLE + i
                sample[a, i] = combine(tokens[j], tokens[j + 1])
            n_sample[a] = SAMPLE
        tag[a] = mandates_tag(text, start, min(stop, start + 4096))


def load_cues(path: Path) -> HashedCues:
    """Loads `cues.npz` and its card. Raises ModelError with one sentence that says what to do."""
    card_path = path.with_suffix(".json")
    remedy = "train it with `python -m models train` or point `model_dir` at a released model"
    if not path.exists():
        raise ModelError(str(path), "the cue model is missing", remedy)
    try:
        card: dict[str, Any] = json.loads(card_path.read_text("utf-8"))
        with np.load(path) as arrays:
            weights, scale, bias = arrays["weights"], arrays["scale"], arrays["bias"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(str(path), f"the cue model cannot be read ({error})", remedy) from error
    if tuple(card.get("intents", ())) != INTENTS:
        raise ModelError(str(card_path), "the card names other intents than this release", remedy)
    fits = weights.ndim == 2 and len(weights) > 0 and weights.shape[1] == N_INTENTS
    if not fits or scale.shape != (N_INTENTS,) or bias.shape != (N_INTENTS,):
        raise ModelError(str(path), "the cue model's arrays do not fit its intents", remedy)
    return HashedCues(
        str(card["version"]),
        np.ascontiguousarray(weights, np.int8),
        np.ascontiguousarray(scale, np.float32),
        np.ascontiguousarray(bias, np.float32),
    )
