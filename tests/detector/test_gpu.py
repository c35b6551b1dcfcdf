"""Sessions: what they run on is said, and bound buffers give what a plain run gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector import gpu
from detector.errors import ModelError
from detector.gpu import BoundRun, on_gpu, open_session
from tests.detector.tiny_models import FEATURES, write_tiny_models


def test_bound_buffers_give_what_a_plain_run_gives(tmp_path: Path) -> None:
    """Run after run, with other numbers each time; an earlier result stays as it was."""
    session = open_session(write_tiny_models(tmp_path) / "account.onnx", "the graph", "build it")
    rng = np.random.default_rng(1)
    some = [rng.normal(size=(4, len(FEATURES))).astype(np.float32) for _ in range(3)]
    bound = BoundRun(session, {"features": some[0]}, ("probability", (4, 1)))
    found = [bound({"features": part}) for part in some]
    for part, got in zip(some, found, strict=True):
        (want,) = session.run(None, {"features": part})
        assert got.tobytes() == np.asarray(want).tobytes()
    assert found[0].tobytes() != found[1].tobytes()


def test_a_graph_without_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs on the CPU; where a GPU is required the start stops and says what to do."""
    monkeypatch.setattr(gpu, "has_nvidia_driver", lambda: False)
    graph = write_tiny_models(tmp_path) / "account.onnx"
    assert not on_gpu(open_session(graph, "the graph", "build it"))
    with pytest.raises(ModelError, match="require_gpu"):
        open_session(graph, "the graph", "build it", require_gpu=True)


def test_a_graph_that_is_missing_or_damaged(tmp_path: Path) -> None:
    """The error names the file and the remedy."""
    with pytest.raises(ModelError, match="the graph is missing; build it"):
        open_session(tmp_path / "none.onnx", "the graph", "build it")
    (tmp_path / "bad.onnx").write_bytes(b"\0\1\2")
    with pytest.raises(ModelError, match=r"cannot be loaded .*; build it"):
        open_session(tmp_path / "bad.onnx", "the graph", "build it")
