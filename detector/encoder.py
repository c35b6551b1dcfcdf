"""The prompt encoder: pieces of text in, unit vectors out, in 16 languages.

A pretrained sentence encoder as one plain graph (`models.encoder_graph` writes it, `make encoder`
builds the folder). It costs milliseconds a text where the cues cost microseconds, so the log picks
which pieces are encoded (`detector.encoder_picks`).

A text's vector depends on the text alone: it is padded to the shortest of LENGTHS that holds it,
and each length runs in batches of one size, so that neighbours change no bit. Of a long text the
head and the tail are read: they say more than the middle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor

from detector.errors import ModelError
from detector.gpu import BoundRun, on_gpu, open_session

GRAPH, TOKENISER, CARD = "encoder.onnx", "tokens.model", "encoder.json"
DIMENSIONS = 512
LENGTHS = (16, 32, 48, 64, 80, 96, 112, 128)
"""Tokens of a text with its two marks are padded to one of these."""
ROWS_CPU, ROWS_CUDA = 1, 32
"""Texts a run: the CPU gains nothing from more, and pads nothing with one."""
HEAD_TOKENS = 86
TAIL_TOKENS = LENGTHS[-1] - 2 - HEAD_TOKENS
HEAD_BYTES, TAIL_BYTES = 1024, 512
"""A longer text is cut to these before its tokens are told."""

_UNKNOWN, _BEGIN, _END = 0, 1, 2
_REMEDY = "build it with `make encoder`, or leave the setting `encoder` out"


class Encoder:
    """A built encoder. Makes its session once; one thread calls it.

    Attributes:
        version: of weights and tokeniser.
        provider: what onnxruntime runs it on.
    """

    def __init__(self, folder: Path, version: str, session: ort.InferenceSession) -> None:
        """Raises ModelError when the tokeniser cannot be read."""
        self.version = version
        self.provider = str(session.get_providers()[0])
        self._session = session
        self._bound: dict[int, BoundRun] = {}
        self._rows = ROWS_CUDA if on_gpu(session) else ROWS_CPU
        self._tokeniser = SentencePieceProcessor()
        try:
            self._tokeniser.Load(str(folder / TOKENISER))
        except (OSError, RuntimeError) as error:
            raise ModelError(
                str(folder / TOKENISER), f"cannot be read ({error})", _REMEDY
            ) from error

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of texts, float32, shape (n, DIMENSIONS)."""
        raw = [text.encode("utf-8", "replace") for text in texts]
        lengths = np.array([len(part) for part in raw], np.int64)
        stops: NDArray[np.int64] = np.cumsum(lengths)
        starts = stops - lengths
        return self.vectors(np.frombuffer(b"".join(raw), np.uint8), starts, stops)

    def vectors(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Unit vectors, float32, shape (n, DIMENSIONS), of texts in a buffer of UTF-8.

        Args:
            text: uint8, shape (bytes,).
            starts, stops: shape (n,).
        """
        tokens = self.tokens(text, starts, stops)
        out = np.empty((len(tokens), DIMENSIONS), np.float32)
        padded = np.array([padded_length(len(t)) for t in tokens], np.int64)
        for length in np.unique(padded).tolist():
            mine = np.flatnonzero(padded == length)
            for first in range(0, len(mine), self._rows):
                some = mine[first : first + self._rows]
                out[some] = self._run([tokens[i] for i in some.tolist()], length)[: len(some)]
        return out

    def tokens(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64]
    ) -> list[list[int]]:
        """Tokens of each text between its two marks, at most LENGTHS[-1] of them."""
        ends: list[str] = []
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            ends += _ends(text[start:stop].tobytes())
        told = self._tokeniser.encode(ends, out_type=int)
        out = []
        for i in range(0, len(told), 2):
            head, tail = told[i], told[i + 1]
            if tail:
                head = head[:HEAD_TOKENS] + tail[-TAIL_TOKENS:]
            elif len(head) > HEAD_TOKENS + TAIL_TOKENS:
                head = head[:HEAD_TOKENS] + head[-TAIL_TOKENS:]
            out.append([_BEGIN, *(head or [_UNKNOWN]), _END])
        return out

    def _run(self, tokens: list[list[int]], length: int) -> NDArray[np.float32]:
        padded = np.zeros((self._rows, length), np.int32)
        mask = np.zeros((self._rows, length, 1), np.float32)
        for row, found in enumerate(tokens):
            padded[row, : len(found)] = found
            mask[row, : len(found)] = 1.0
        inputs = {"tokens": padded, "mask": mask}
        if self._rows == ROWS_CPU:
            (out,) = self._session.run(None, inputs)
            return np.asarray(out, np.float32)
        if length not in self._bound:
            shape = ("vectors", (self._rows, DIMENSIONS))
            self._bound[length] = BoundRun(self._session, inputs, shape)
        return self._bound[length](inputs)


@cache
def shared_encoder(folder: Path, require_gpu: bool) -> Encoder:
    """`load_encoder`, once a process: models are switched, the encoder stays."""
    return load_encoder(folder, require_gpu=require_gpu)


def padded_length(n: int) -> int:
    """The shortest of LENGTHS that holds n tokens."""
    return next(length for length in LENGTHS if length >= n)


def _ends(raw: bytes) -> tuple[str, str]:
    """Head and tail of a long text, else the whole and nothing. A character cut in two is lost."""
    if len(raw) <= HEAD_BYTES + TAIL_BYTES:
        return raw.decode("utf-8", "replace"), ""
    head = raw[:HEAD_BYTES].decode("utf-8", "ignore")
    return head, raw[-TAIL_BYTES:].decode("utf-8", "ignore")


def read_card(folder: Path) -> tuple[str, dict[str, str]]:
    """Version of a built encoder, and the sha256 of its files by name. Raises ModelError."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text("utf-8"))
        return str(card["version"]), dict(card["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            str(folder / CARD), f"the prompt encoder cannot be read ({error})", _REMEDY
        ) from error


def load_encoder(folder: Path, *, require_gpu: bool = False) -> Encoder:
    """Loads a folder that `make encoder` built. Raises ModelError with what to do."""
    version, wanted = read_card(folder)
    for name in (GRAPH, TOKENISER):
        path = folder / name
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted.get(name):
            raise ModelError(str(path), "is not the file of its card", _REMEDY)
    session = open_session(folder / GRAPH, "the prompt encoder", _REMEDY, require_gpu=require_gpu)
    return Encoder(folder, version, session)
