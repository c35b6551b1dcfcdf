"""Cues: a few intent probabilities for each new piece of text, in microseconds.

A hashed n-gram model, one int8 weight per bucket and intent: logit = bias + scale · Σ w / √m over
the m n-grams of the piece's head and tail. The elicitation head also counts which concepts the
piece's sentences bring together (`detector.concepts`), where a gate lets it look. Training is in
`models.train_cues`; this file only reads the weights, so the model can be replaced by any other
that fills the same arrays.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.concept_gate import build_gate, gate_mask, gate_score
from detector.concepts import N_CONCEPT_FEATURES, N_CONCEPTS, PAIR_ROWS, concept_score
from detector.elicit import GATE_CONCEPTS, ElicitReader, reader_from
from detector.errors import ModelError
from detector.fingerprint import mandates_tag, ngrams
from detector.hashing import combine
from detector.intents import ELICIT, INTENTS, N_INTENTS
from detector.lexicon import build_lexicon
from detector.plain_text import MAX_PLAIN
from detector.tokens import MAX_TOKENS, read_tokens
from streams.jit import njit

SAMPLE = 64
"""Token pairs kept of a piece for frame and item features: the first 44 and the last 20."""
SAMPLE_HEAD = 44
EDGE_TOKENS = 5
"""Words that make an opening or a closing: a frame before or behind its item."""

LOGIT_BOUND = 8.0

_GATE_FLOOR = np.float32(-5.0)
"""Below this logit of its n-grams a piece is not looked at any further."""

_WORDS = 2
"""Words of eight lanes that hold the weights of a bucket: 16 intents at most."""
_LANES = np.uint64(0x00FF00FF00FF00FF)
_LANE = np.uint64(0xFFFF)
_ONE = np.uint64(1)


@dataclass(frozen=True, slots=True)
class PieceReadings:
    """What was read from a batch's analysed pieces; `slot[p]` is the row of piece p or -1.

    Attributes:
        slot: int32, shape (p,).
        logits: float32, shape (a, N_INTENTS), each in [-LOGIT_BOUND, LOGIT_BOUND].
        sample: uint64, shape (a, SAMPLE): hashes of token pairs.
        n_sample: int32, shape (a,): how many of them are set.
        n_tokens: int32, shape (a,).
        edges: uint64, shape (a, 2): hashes of the first and of the last words, numbers masked.
        tag: bool, shape (a,): names a thinking tag.
    """

    slot: NDArray[np.int32]
    logits: NDArray[np.float32]
    sample: NDArray[np.uint64]
    n_sample: NDArray[np.int32]
    n_tokens: NDArray[np.int32]
    edges: NDArray[np.uint64]
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
        reader: what the elicitation head reads beside n-grams; None for n-grams alone.
    """

    version: str
    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    reader: ElicitReader | None = None
    _packed: NDArray[np.uint64] = field(init=False, repr=False, compare=False)
    _gate: tuple[Any, ...] = field(init=False, repr=False, compare=False)
    _concepts: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_packed", _pack(self.weights))
        reader = self.reader
        table = build_gate({}) if reader is None else reader.gate_table()
        lexicon = build_lexicon((), ()) if reader is None else reader.lexicon()
        pairs = (
            np.zeros((GATE_CONCEPTS, GATE_CONCEPTS), np.float32) if reader is None else reader.pairs
        )
        least = np.array([0.0, np.inf], np.float32) if reader is None else reader.gate
        weights = np.zeros(N_CONCEPT_FEATURES, np.float32) if reader is None else reader.weights
        object.__setattr__(self, "_gate", (table.filter, table.keys, table.masks, pairs, least))
        object.__setattr__(
            self, "_concepts", (lexicon.keys, lexicon.child, lexicon.whole, lexicon.begun, weights)
        )

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
            np.zeros((n, 2), np.uint64),
            np.zeros(n, np.bool_),
        )
        _read(
            text, pieces, slot, self._packed, self.scale, self.bias, self._gate, self._concepts,
            out.logits, out.sample, out.n_sample, out.n_tokens, out.edges, out.tag,
        )  # fmt: skip
        return out


def _pack(weights: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Rows of weights as words of eight lanes, each weight + 128; shape (buckets, _WORDS)."""
    lanes = np.full((len(weights), _WORDS * 8), 128, np.uint8)
    lanes[:, : weights.shape[1]] = weights.view(np.uint8) ^ np.uint8(128)
    return np.ascontiguousarray(lanes.view("<u8"))


@njit(cache=True)
def _sum_weights(
    packed: NDArray[np.uint64],
    grams: NDArray[np.uint64],
    m: int,
    rows: NDArray[np.uint64],
    sums: NDArray[np.int32],
) -> None:
    """Sums the weights of m n-grams, all intents at once: four 16-bit lanes to a 64-bit word.

    256 weights of at most 255 fit a lane, so lanes are emptied into `sums` that often.
    """
    buckets = np.uint64(packed.shape[0])
    if buckets & (buckets - _ONE) == 0:
        for j in range(m):
            rows[j] = grams[j] & (buckets - _ONE)
    else:
        for j in range(m):
            rows[j] = grams[j] % buckets
    sums[:] = -128 * m
    for first in range(0, m, 256):
        even0 = odd0 = even1 = odd1 = np.uint64(0)
        for j in range(first, min(first + 256, m)):  # one visit a bucket: each may miss the cache
            lanes0, lanes1 = packed[rows[j], 0], packed[rows[j], 1]
            even0 += lanes0 & _LANES
            odd0 += (lanes0 >> np.uint64(8)) & _LANES
            even1 += lanes1 & _LANES
            odd1 += (lanes1 >> np.uint64(8)) & _LANES
        for k in range(4):
            shift = np.uint64(16 * k)
            sums[2 * k] += np.int32((even0 >> shift) & _LANE)
            sums[2 * k + 1] += np.int32((odd0 >> shift) & _LANE)
            sums[8 + 2 * k] += np.int32((even1 >> shift) & _LANE)
            sums[9 + 2 * k] += np.int32((odd1 >> shift) & _LANE)


@njit(cache=True)
def _read(
    text: NDArray[np.uint8],
    pieces: NDArray[np.void],
    slot: NDArray[np.int32],
    packed: NDArray[np.uint64],
    scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    gate: tuple[
        NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float32],
        NDArray[np.float32],
    ],
    concepts: tuple[
        NDArray[np.int64], NDArray[np.int32], NDArray[np.uint64], NDArray[np.uint64],
        NDArray[np.float32],
    ],
    logits: NDArray[np.float32],
    sample: NDArray[np.uint64],
    n_sample: NDArray[np.int32],
    n_tokens: NDArray[np.int32],
    edges: NDArray[np.uint64],
    tag: NDArray[np.bool_],
) -> None:  # fmt: skip
    bits, gate_keys, masks, gate_pairs, least = gate
    keys, child, whole, begun, concept_weights = concepts
    room = np.empty(MAX_PLAIN, np.uint8)
    together = np.empty((PAIR_ROWS, N_CONCEPTS), np.uint64)
    shown = np.empty(N_CONCEPT_FEATURES, np.int32)
    tokens = np.empty(MAX_TOKENS, np.uint64)
    stems = np.empty(MAX_TOKENS, np.uint64)
    neighbours = np.empty(MAX_TOKENS, np.uint64)
    grams = np.empty(5 * MAX_TOKENS + 8, np.uint64)
    rows = np.empty(5 * MAX_TOKENS + 8, np.uint64)
    sums = np.zeros(_WORDS * 8, np.int32)
    for p in range(pieces.shape[0]):
        a = slot[p]
        if a < 0:
            continue
        start, stop = pieces[p].start, pieces[p].stop
        n = read_tokens(text, start, stop, tokens, stems)
        m = ngrams(tokens, stems, n, neighbours, grams)
        _sum_weights(packed, grams, m, rows, sums)
        norm = np.float32(1.0) / np.float32(np.sqrt(max(m, 1)))
        for k in range(N_INTENTS):
            v = bias[k] + scale[k] * np.float32(sums[k]) * norm
            if k == ELICIT and least[1] < np.inf:
                opens = v >= _GATE_FLOOR
                if opens:
                    mask = gate_mask(grams, m, bits, gate_keys, masks)
                    opens = gate_score(mask, gate_pairs) + least[0] * v >= least[1]
                if opens:
                    v += concept_score(
                        text, start, stop, keys, child, whole, begun, room, together, shown,
                        concept_weights,
                    )  # fmt: skip
                else:  # words alone, unread, raise no cue
                    v = min(v, np.float32(0.0))
            logits[a, k] = min(max(v, -LOGIT_BOUND), LOGIT_BOUND)
        first, last = np.uint64(1), np.uint64(2)
        for i in range(min(n, EDGE_TOKENS)):
            first = combine(first, tokens[i])
            last = combine(last, tokens[n - 1 - i])
        edges[a, 0], edges[a, 1] = first, last
        n_tokens[a] = n
        pairs = max(n - 1, 0)
        kept = min(pairs, SAMPLE)
        head = pairs if pairs <= SAMPLE else SAMPLE_HEAD
        sample[a, :head] = neighbours[:head]
        sample[a, head:kept] = neighbours[pairs - kept + head : pairs]
        n_sample[a] = kept
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
            reader = reader_from(arrays) if "elicit_words" in arrays else None
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
        reader,
    )
