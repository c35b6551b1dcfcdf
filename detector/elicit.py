"""The elicitation reader: what the elicitation head adds to its n-grams where a gate opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.concept_gate import GateTable, build_gate
from detector.concepts import CONCEPTS, N_CONCEPT_FEATURES
from detector.lexicon import Lexicon, build_lexicon

GATE_CONCEPTS = len(CONCEPTS)


@dataclass(frozen=True, slots=True)
class ElicitReader:
    """Lexicon, gate and weights of the elicitation head.

    Attributes:
        words, masks: the lexicon as written and its concepts as bits, uint64, shape (w,).
        grams: uint64, shape (g,): n-gram hashes known to the gate; `gram_masks` their concepts.
        pairs: float32, shape (GATE_CONCEPTS, GATE_CONCEPTS): weights of the gate.
        gate: float32, shape (2,): share of the n-grams' logit in the gate's score, and the score
            from which a piece is read.
        weights: float32, shape (N_CONCEPT_FEATURES,): weights of the concept features, in logits.
    """

    words: tuple[str, ...]
    masks: NDArray[np.uint64]
    grams: NDArray[np.uint64]
    gram_masks: NDArray[np.uint64]
    pairs: NDArray[np.float32]
    gate: NDArray[np.float32]
    weights: NDArray[np.float32]

    def lexicon(self) -> Lexicon:
        """The lexicon as the detector walks it."""
        return build_lexicon(self.words, self.masks.tolist())

    def gate_table(self) -> GateTable:
        """The gate's table."""
        return build_gate(dict(zip(self.grams.tolist(), self.gram_masks.tolist(), strict=True)))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays to write beside the cue model's; `reader_from` reads them back."""
        text = "\n".join(self.words).encode("utf-8")
        return {
            "elicit_words": np.frombuffer(text, np.uint8),
            "elicit_masks": self.masks,
            "elicit_grams": self.grams,
            "elicit_gram_masks": self.gram_masks,
            "elicit_pairs": self.pairs,
            "elicit_gate": self.gate,
            "elicit_weights": self.weights,
        }


def reader_from(arrays: Mapping[str, NDArray[np.generic]]) -> ElicitReader:
    """The reader out of a cue model's arrays.

    Raises:
        KeyError: an array is missing.
        ValueError: arrays do not fit each other or this release's concepts.
    """
    words: Sequence[str] = bytes(arrays["elicit_words"]).decode("utf-8").split("\n")
    reader = ElicitReader(
        tuple(words),
        np.asarray(arrays["elicit_masks"], np.uint64),
        np.asarray(arrays["elicit_grams"], np.uint64),
        np.asarray(arrays["elicit_gram_masks"], np.uint64),
        np.ascontiguousarray(arrays["elicit_pairs"], np.float32),
        np.ascontiguousarray(arrays["elicit_gate"], np.float32),
        np.ascontiguousarray(arrays["elicit_weights"], np.float32),
    )
    fits = (
        len(words) == len(reader.masks)
        and len(reader.grams) == len(reader.gram_masks)
        and reader.gate.shape == (2,)
        and reader.pairs.shape == (GATE_CONCEPTS, GATE_CONCEPTS)
        and reader.weights.shape == (N_CONCEPT_FEATURES,)
    )
    if not fits:
        raise ValueError("the elicitation reader's arrays do not fit")
    return reader
