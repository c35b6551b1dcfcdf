"""A tiny model folder: it knows one word and one habit, and is the same every time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from detector.features import schema_hash
from detector.intents import INTENTS
from tests.detector.builders import word_cues

WORD = "harvestable"
"""A short piece that holds it gets the elicitation intent."""

FEATURES = ("intent_elicit", "one_shot_share", "distinct_share")
WEIGHTS = (8.0, 8.0, 1.0)
BIAS = -9.0


def write_tiny_models(folder: Path) -> Path:
    """Writes cues and a logistic classifier over three features, with their cards."""
    folder.mkdir(parents=True, exist_ok=True)
    cues = word_cues(WORD)
    np.savez(folder / "cues.npz", weights=cues.weights, scale=cues.scale, bias=cues.bias)
    card = {"version": "tiny", "intents": list(INTENTS)}
    (folder / "cues.json").write_text(json.dumps(card))
    weights = np.array(WEIGHTS, np.float32).reshape(-1, 1)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["features", "weights", "bias"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["probability"]),
        ],
        "account",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(FEATURES)])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([BIAS], np.float32), "bias"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    made.ir_version = 10
    (folder / "account.onnx").write_bytes(made.SerializeToString())
    account_card = {
        "version": "tiny",
        "schema": schema_hash(),
        "features": FEATURES,
        "median": [0.0, 0.0, 0.5],
        "low": [0.0, 0.0, 0.1],
        "high": [0.1, 0.3, 1.0],
        "calibration": np.linspace(0.0, 0.6, 2000).tolist(),
        "calibration_encoded": np.linspace(0.0, 0.7, 2000).tolist(),
    }
    (folder / "account.json").write_text(json.dumps(account_card))
    return folder
