"""The artifacts: the graph says what the trained model says; plain operators, full cards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from detector.cues import load_cues
from detector.features import FEATURE_NAMES, N_FEATURES, schema_hash
from detector.intents import INTENTS
from detector.scorer import Scorer
from detector.settings import packaged_models
from models.export import account_graph, write_account, write_cues
from models.train_account import CLIP, AccountModel, fit_account
from models.train_cues import quantise
from tests.models.learning import made_up_accounts, made_up_samples

CUDA_OPERATORS = {"Sub", "Div", "Max", "Min", "Gemm", "Sigmoid"}
"""Operators of the graph; onnxruntime has CUDA kernels for each of them."""


@pytest.fixture(scope="module")
def model() -> AccountModel:
    """A model trained on made-up vectors."""
    return fit_account(made_up_samples(), made_up_accounts())


def rows_for(model: AccountModel) -> NDArray[np.float32]:
    """Random rows, rows all unknown, and rows on, within and far past the clipping bounds."""
    rng = np.random.default_rng(1)
    rows = [rng.normal(0.0, 3.0, (200, N_FEATURES)), np.full((1, N_FEATURES), np.nan)]
    at = [FEATURE_NAMES.index(name) for name in model.inputs]
    for k in (-1e30, -1e6, -CLIP, -CLIP / 2, 0.0, CLIP / 2, CLIP, 1e6, 1e30):
        edge = np.zeros((1, N_FEATURES))
        edge[0, at] = model.mean.astype(np.float64) + k * model.scale
        rows.append(edge)
        edge = edge.copy()
        edge[0, rng.permutation(N_FEATURES)[: N_FEATURES // 2]] = np.nan
        rows.append(edge)
    return np.concatenate(rows).astype(np.float32)


def test_the_graph_equals_the_trained_model(model: AccountModel, tmp_path: Path) -> None:
    """On random and boundary rows the scorer's graph gives the model's probabilities to 1e-6,
    however many rows are scored at once."""
    write_account(tmp_path, model, [np.linspace(0.0, 0.9, 50)] * 2, {"version": "t"})
    scorer = Scorer(tmp_path)
    rows = rows_for(model)
    got = scorer.probabilities(scorer.impute(rows))
    np.testing.assert_allclose(got, model.probabilities(rows), atol=1e-6, rtol=0.0)
    alone = [scorer.probabilities(scorer.impute(row[None])) for row in rows]
    assert np.concatenate(alone).tobytes() == got.tobytes()
    assert got.min() < 0.05
    assert got.max() > 0.95


def test_only_operators_that_cuda_has(model: AccountModel) -> None:
    """Graphs that are written, and the one that ships, use the listed operators only, in float32
    and with any number of rows."""
    shipped = onnx.load(packaged_models() / "account.onnx")
    for made in (account_graph(model), shipped):
        assert {node.op_type for node in made.graph.node} <= CUDA_OPERATORS
        assert {t.data_type for t in made.graph.initializer} == {onnx.TensorProto.FLOAT}
        shape = made.graph.input[0].type.tensor_type.shape.dim
        assert not shape[0].HasField("dim_value")


def test_the_card_is_complete(model: AccountModel, tmp_path: Path) -> None:
    """What is told of training stands on the card beside what the scorer needs, sorted and
    bounded; both for a written card and for the one that ships."""
    about = {"version": "t", "licences": "own", "seed": 1, "trained_on": {}, "measured": {}}
    table = np.random.default_rng(0).random(9000)
    write_account(tmp_path, model, [np.append(table, np.nan), table / 2], about)
    for folder in (tmp_path, packaged_models()):
        card = json.loads((folder / "account.json").read_text())
        assert {"version", "schema", "features", "median", "low", "high", "weights", "calibration",
                "calibration_encoded", "licences", "seed", "trained_on",
                "measured"} <= card.keys()  # fmt: skip
        assert card["schema"] == schema_hash()
        assert list(card["weights"]) == card["features"]
        assert all(len(card[k]) == len(card["features"]) for k in ("median", "low", "high"))
        assert all(a <= b for a, b in zip(card["low"], card["high"], strict=True))
        for calibration in (card["calibration"], card["calibration_encoded"]):
            assert calibration == sorted(calibration)
            assert 1000 < len(calibration) <= 4000
    written = json.loads((tmp_path / "account.json").read_text())
    assert written["calibration"][-1] == pytest.approx(table.max(), abs=1e-6)
    at = np.quantile(written["calibration"], 0.98)
    assert at == pytest.approx(np.quantile(table, 0.98), abs=1e-3)
    assert written["calibration_encoded"][-1] == pytest.approx(table.max() / 2, abs=1e-6)
    for encoded in (False, True):
        name = "calibration_encoded" if encoded else "calibration"
        assert Scorer(tmp_path, encoded=encoded).card.calibration.tolist() == written[name]


def test_cues_survive_writing(tmp_path: Path) -> None:
    """A written cue model is read back the same, int8 weights within half a step of the float
    ones; the one that ships knows all intents."""
    rng = np.random.default_rng(2)
    weights = rng.normal(0.0, 0.3, (64, len(INTENTS))).astype(np.float32)
    cues = quantise(weights, rng.normal(0.0, 1.0, len(INTENTS)).astype(np.float32), "q")
    write_cues(tmp_path, cues, {"seed": 1})
    read = load_cues(tmp_path / "cues.npz")
    assert read.weights.tobytes() == cues.weights.tobytes()
    assert read.bias.tobytes() == cues.bias.tobytes()
    error = np.abs(read.weights * read.scale - weights).max(axis=0)
    assert (error <= 0.51 * read.scale).all()
    card = json.loads((packaged_models() / "cues.json").read_text())
    assert tuple(card["intents"]) == INTENTS
    assert {"version", "buckets", "licences", "seed", "trained_on", "measured"} <= card.keys()
