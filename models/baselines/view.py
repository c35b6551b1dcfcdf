"""What a baseline sees of an account: prompt embeddings, n-gram bags and the volume of its log.

The published methods embed prompts with a pretrained sentence encoder. `embed` is the seam for one;
until the detector has an encoder it is a signed random projection of hashed n-grams (Achlioptas
2003, "Database-friendly random projections"), which keeps cosines of bags of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from detector.fingerprint import ngram_rows
from streams.columns import PIECE, USER
from streams.record import ApiRequest, total_input_tokens

BUCKETS = 1 << 17
"""N-grams are hashed into so many."""

DIMENSIONS = 256
MOST_CHARS = 2000
"""Of a prompt; the published encoders read 512 tokens."""

PROJECTION_SEED = 64


@dataclass(frozen=True, slots=True)
class View:
    """An account's requests in time order, as arrays.

    Attributes:
        embeddings: float32, shape (r, DIMENSIONS), unit vectors of the last user messages.
        bags: shape (r, BUCKETS), n-grams of the same.
        prompts: the texts, length r.
        times_s: float64, shape (r,).
        input_tokens, output_tokens: float64, shape (r,), NaN where unknown.
        temperature: float64, shape (r,), NaN where unknown.
        logprobs: bool, shape (r,).
        answered: bool, shape (r,): not known to have failed.
    """

    embeddings: NDArray[np.float32]
    bags: csr_matrix
    prompts: Sequence[str]
    times_s: NDArray[np.float64]
    input_tokens: NDArray[np.float64]
    output_tokens: NDArray[np.float64]
    temperature: NDArray[np.float64]
    logprobs: NDArray[np.bool_]
    answered: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.prompts)

    def first(self, n: int) -> View:
        """The view of the first n requests."""
        if n >= len(self):
            return self
        return View(
            self.embeddings[:n], self.bags[:n], self.prompts[:n], self.times_s[:n],
            self.input_tokens[:n], self.output_tokens[:n], self.temperature[:n],
            self.logprobs[:n], self.answered[:n],
        )  # fmt: skip


def view_of(requests: Sequence[ApiRequest]) -> View:
    """The view of an account."""
    prompts = [last_prompt(r) for r in requests]
    bags = bags_of(prompts)

    def numbers(values: list[float | None]) -> NDArray[np.float64]:
        return np.array([np.nan if v is None else v for v in values], np.float64)

    return View(
        embed(bags),
        bags,
        prompts,
        numbers([r.event_time_s for r in requests]),
        numbers([total_input_tokens(r) for r in requests]),
        numbers([r.output_tokens for r in requests]),
        numbers([r.temperature for r in requests]),
        np.array([bool(r.logprobs) for r in requests]),
        np.array([r.status in (None, 200, "success") for r in requests]),
    )


def bags_of(texts: Sequence[str]) -> csr_matrix:
    """Weighed n-grams of texts as the detector counts them, shape (len(texts), BUCKETS)."""
    encoded = [t.encode("utf-8", "surrogatepass") for t in texts]
    stops = np.cumsum([len(e) for e in encoded])
    pieces = np.zeros(len(texts), PIECE)
    pieces["stop"] = stops
    pieces["start"][1:] = stops[:-1]
    pieces["role"] = USER
    buffer = np.frombuffer(b"".join(encoded), np.uint8)
    indptr, indices, weights = ngram_rows(buffer, pieces, BUCKETS)
    matrix = csr_matrix((weights, indices, indptr), shape=(len(texts), BUCKETS))
    matrix.sum_duplicates()
    return matrix


def last_prompt(request: ApiRequest) -> str:
    """The last user message, its first MOST_CHARS characters; "" where the log has none."""
    for message in reversed(request.messages or ()):
        if message.role == "user":
            return message.text[:MOST_CHARS]
    return ""


def embed(bags: csr_matrix) -> NDArray[np.float32]:
    """Unit vectors, shape (n, DIMENSIONS); zero for an empty text."""
    projected = np.asarray(bags @ _projection(), np.float32)
    length = np.linalg.norm(projected, axis=1, keepdims=True)
    return np.asarray(projected / np.maximum(length, 1e-9), np.float32)


@lru_cache(maxsize=1)
def _projection() -> NDArray[np.float32]:
    """Signs, shape (BUCKETS, DIMENSIONS)."""
    rng = np.random.default_rng(PROJECTION_SEED)
    return rng.choice(np.array([-1.0, 1.0], np.float32), (BUCKETS, DIMENSIONS))
