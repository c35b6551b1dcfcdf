"""The encoder's head: from a text's vector to log-odds of extraction.

One linear head, trained by `models.train_encoder` and shipped in `encoder_head.npz`. A plain kernel
applies it, row by row, so that a text's log-odds depend on its vector alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.encoder import DIMENSIONS, Encoder, read_card
from detector.errors import ModelError
from streams.jit import njit

FILE, CARD = "encoder_head.npz", "encoder_head.json"
BOUND = 8.0
"""Log-odds stay within plus and minus this."""


class PieceEncoder(Protocol):
    """The seam between pieces and what an encoder says of them."""

    @property
    def version(self) -> str: ...

    def read(
        self, text: NDArray[np.uint8], pieces: NDArray[np.void], picked: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Log-odds of the pieces picked, float32, shape (len(picked),)."""


@dataclass(frozen=True, slots=True)
class EncoderHead:
    """Log-odds = vector · weights + bias.

    Attributes:
        encoder: version of the encoder whose vectors it reads.
        weights: float32, shape (DIMENSIONS,).
    """

    version: str
    encoder: str
    weights: NDArray[np.float32]
    bias: float


@dataclass(frozen=True, slots=True)
class HeadedEncoder:
    """The prompt encoder with the head of a model folder.

    Attributes:
        clock: monotonic seconds, for metrics: nothing is computed from them.
    """

    encoder: Encoder
    head: EncoderHead
    clock: Callable[[], float] = perf_counter
    _spent: list[float] = field(default_factory=list)

    @property
    def version(self) -> str:
        """Versions of encoder and head."""
        return _both(self.encoder.version, self.head.version)

    def read(
        self, text: NDArray[np.uint8], pieces: NDArray[np.void], picked: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See `PieceEncoder.read`."""
        started_s = self.clock()
        some = pieces[picked]
        vectors = self.encoder.vectors(text, some["start"], some["stop"])
        said = say(vectors, self.head.weights, self.head.bias)
        self._spent.append(self.clock() - started_s)
        return said

    def take_spent(self) -> list[float]:
        """Seconds that each call of `read` took since this was last asked."""
        taken = [*self._spent]
        self._spent.clear()
        return taken


@njit(cache=True)
def say(
    vectors: NDArray[np.float32], weights: NDArray[np.float32], bias: float
) -> NDArray[np.float32]:
    """Log-odds, float32, shape (n,), of vectors, shape (n, DIMENSIONS)."""
    out = np.empty(vectors.shape[0], np.float32)
    for i in range(vectors.shape[0]):
        total = bias
        for k in range(vectors.shape[1]):
            total += np.float64(vectors[i, k]) * np.float64(weights[k])
        out[i] = np.float32(min(max(total, -BOUND), BOUND))
    return out


def load_head(model_dir: Path) -> EncoderHead:
    """Loads the head and its card. Raises ModelError with what to do."""
    path = model_dir / FILE
    remedy = "train it with `python -m models train`, or leave the setting `encoder` out"
    try:
        card: dict[str, Any] = json.loads((model_dir / CARD).read_text("utf-8"))
        version, encoder = str(card["version"]), str(card["encoder"])
        with np.load(path, allow_pickle=False) as arrays:
            weights, bias = arrays["weights"], arrays["bias"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            str(path), f"the encoder's head cannot be read ({error})", remedy
        ) from error
    fits = weights.shape == (DIMENSIONS,) and bias.shape == ()
    if not fits or not np.isfinite(weights).all() or not np.isfinite(bias):
        raise ModelError(str(path), "the head's arrays do not fit the encoder", remedy)
    return EncoderHead(version, encoder, np.ascontiguousarray(weights, np.float32), float(bias))


def headed_version(encoder: Path, model_dir: Path) -> str:
    """`HeadedEncoder.version` as the cards of both folders say it. Raises ModelError."""
    return _both(read_card(encoder)[0], load_head(model_dir).version)


def _both(encoder: str, head: str) -> str:
    return f"{encoder}+{head}"


def load_headed(encoder: Encoder, model_dir: Path) -> HeadedEncoder:
    """The encoder with a folder's head. Raises ModelError when it is another encoder's."""
    head = load_head(model_dir)
    if head.encoder != encoder.version:
        raise ModelError(
            str(model_dir / CARD),
            f"the head is for encoder {head.encoder}, not for {encoder.version}",
            "build the encoder of this release with `make encoder`",
        )
    return HeadedEncoder(encoder, head)
