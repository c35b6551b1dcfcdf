"""The built encoder: it says what the package says, in operators that CUDA has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from detector.encoder import GRAPH
from detector.settings import packaged_models
from models import build_encoder
from models.build_encoder import PROBES, EncoderSourceError, parity, read_sources
from models.cuda_operators import CUDA_OPERATORS, without_kernel
from models.encoder_graph import CHUNKS, token_table
from tests.detector.builders import TEXTS
from tests.services.prompt_encoder import encoder_folder


def test_the_graph_says_what_the_package_says() -> None:
    """Texts of ten scripts, short and empty: cosine with the package's own vectors at least
    .99999. (A text that the encoder cuts is another text.)"""
    texts = [*PROBES, *(text for text in TEXTS if len(text) < 400)]
    assert parity(encoder_folder(), texts) >= 0.99999


def test_every_graph_has_cuda_kernels_alone() -> None:
    """Those that ship and the one that is built; an operator that is not listed is named."""
    graphs = [encoder_folder() / GRAPH, *packaged_models().glob("*.onnx")]
    assert len(graphs) >= 2
    for path in graphs:
        assert without_kernel(onnx.load(path)) == set(), path
    trees = onnx.helper.make_node("TreeEnsembleClassifier", ["x"], ["y"], domain="ai.onnx.ml")
    topk = onnx.helper.make_node("TopK", ["x", "k"], ["y", "i"])
    odd = onnx.helper.make_model(onnx.helper.make_graph([trees, topk], "odd", [], []))
    assert without_kernel(odd) == {"ai.onnx.ml.TreeEnsembleClassifier", "TopK"}
    assert "TopK" not in CUDA_OPERATORS


def test_tokens_are_dealt_to_chunks_in_turn() -> None:
    """Row t of the table is row t // CHUNKS of chunk t % CHUNKS."""
    chunks = {f"q{i + 1}": np.full((3, 2), 10 * i, np.uint8) + np.arange(3)[:, None].astype("u1")
              for i in range(CHUNKS)}  # fmt: skip
    table = token_table(chunks)
    assert table.shape == (3 * CHUNKS, 2)
    for token in (0, 1, CHUNKS - 1, CHUNKS, 2 * CHUNKS + 5):
        assert table[token].tolist() == [10 * (token % CHUNKS) + token // CHUNKS] * 2


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files that are not the pinned ones build nothing, and the error says what to do."""
    read_sources()
    monkeypatch.setitem(build_encoder.SOURCES, "sp.model", "0" * 64)
    with pytest.raises(EncoderSourceError, match="make setup"):
        build_encoder.build_encoder(tmp_path / "out")
    assert not (tmp_path / "out").exists()
