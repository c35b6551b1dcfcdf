"""Vectors of texts, each encoded once: folds read the same pieces with other heads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.encoder import DIMENSIONS, Encoder, shared_encoder
from detector.encoder_head import EncoderHead, say


@dataclass
class EncodedTexts:
    """A built encoder with a memory. Goes to other processes with its memory, without its session.

    Attributes:
        folder: of the built encoder.
        known: vector, float32, shape (DIMENSIONS,), by digest of the text.
    """

    folder: Path
    known: dict[bytes, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded once a process."""
        return shared_encoder(self.folder, False)

    def vectors(self, text: NDArray[np.uint8], pieces: NDArray[np.void]) -> NDArray[np.float32]:
        """Vectors of PIECE rows over a text buffer, float32, shape (len(pieces), DIMENSIONS)."""
        spans = zip(pieces["start"].tolist(), pieces["stop"].tolist(), strict=True)
        names = [hashlib.blake2b(text[a:b].tobytes(), digest_size=16).digest() for a, b in spans]
        first = {name: i for i, name in reversed(list(enumerate(names))) if name not in self.known}
        new = sorted(first.values())
        made = self.encoder.vectors(text, pieces["start"][new], pieces["stop"][new])
        for at, vector in zip(new, made, strict=True):
            self.known[names[at]] = vector.copy()
        return np.array([self.known[n] for n in names], np.float32).reshape(-1, DIMENSIONS)


class HeadedTexts:
    """Remembered vectors under a head; a `detector.encoder_head.PieceEncoder`."""

    def __init__(self, texts: EncodedTexts, head: EncoderHead) -> None:
        self._texts, self._head = texts, head

    @property
    def version(self) -> str:
        """Of the head."""
        return self._head.version

    def read(
        self, text: NDArray[np.uint8], pieces: NDArray[np.void], picked: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See `PieceEncoder.read`."""
        vectors = self._texts.vectors(text, pieces[picked])
        return say(vectors, self._head.weights, self._head.bias)


class VectorSums:
    """Sums of each account's vectors, as the log picks its pieces; a `PieceEncoder`.

    Attributes:
        sums: float64, shape (accounts, DIMENSIONS). counts: int64, shape (accounts,).
    """

    version = "sums"

    def __init__(self, texts: EncodedTexts, n_accounts: int) -> None:
        self.sums = np.zeros((n_accounts, DIMENSIONS))
        self.counts = np.zeros(n_accounts, np.int64)
        self._texts = texts
        self._owner = np.zeros(0, np.int64)

    def owns(self, owner: NDArray[np.int64]) -> None:
        """Whose the events of the next batch are, shape (n,): indices of accounts."""
        self._owner = owner

    def read(
        self, text: NDArray[np.uint8], pieces: NDArray[np.void], picked: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Adds the pieces picked; says nothing of them."""
        some = pieces[picked]
        at = self._owner[some["event"]]
        np.add.at(self.sums, at, self._texts.vectors(text, some).astype(np.float64))
        np.add.at(self.counts, at, 1)
        return np.zeros(len(picked), np.float32)
