"""Writes artifacts: the classifier as one plain ONNX graph, the cue weights, and their cards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from detector.cues import HashedCues
from detector.encoder_head import CARD, FILE, EncoderHead
from detector.features import schema_hash
from detector.intents import INTENTS
from models.train_account import CLIP, AccountModel

OPSET = 22
CALIBRATION_POINTS = 4000


def account_graph(model: AccountModel) -> onnx.ModelProto:
    """Sub, Div, Max, Min, Gemm and Sigmoid: operators that all have CUDA kernels.

    Input "features", float32 [n, f], imputed; output "probability", float32 [n, 1].
    """

    def constant(name: str, value: NDArray[np.float32]) -> TensorProto:
        return numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name)

    f = len(model.inputs)
    graph = helper.make_graph(
        [
            helper.make_node("Sub", ["features", "mean"], ["centred"]),
            helper.make_node("Div", ["centred", "scale"], ["scaled"]),
            helper.make_node("Max", ["scaled", "floor"], ["floored"]),
            helper.make_node("Min", ["floored", "ceiling"], ["clipped"]),
            helper.make_node("Gemm", ["clipped", "weights", "bias"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["probability"]),
        ],
        "account",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, f])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [
            constant("mean", model.mean),
            constant("scale", model.scale),
            constant("floor", model.floor),
            constant("ceiling", np.full(f, CLIP, np.float32)),
            constant("weights", model.weights.reshape(f, 1)),
            constant("bias", np.array([model.bias], np.float32)),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    made.ir_version = 10
    onnx.checker.check_model(made)
    return made


def write_account(
    folder: Path,
    model: AccountModel,
    calibrations: Sequence[NDArray[np.float64]],
    about: Mapping[str, Any],
) -> None:
    """Writes account.onnx and account.json.

    Args:
        calibrations: scores of benign accounts without a prompt encoder, and with it.
        about: what people want to know.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "account.onnx").write_bytes(account_graph(model).SerializeToString())
    plain, encoded = map(_calibration_table, calibrations)
    card = {
        "version": about["version"],
        "schema": schema_hash(),
        "features": list(model.inputs),
        "median": _rounded(model.median),
        "low": _rounded(model.low),
        "high": _rounded(model.high),
        "weights": dict(zip(model.inputs, _rounded(model.weights), strict=True)),
        "calibration": _rounded(plain),
        "calibration_encoded": _rounded(encoded),
        **{key: value for key, value in about.items() if key != "version"},
    }
    _write_json(folder / "account.json", card)


def write_cues(folder: Path, cues: HashedCues, about: Mapping[str, Any]) -> None:
    """Writes cues.npz and cues.json."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"weights": cues.weights, "scale": cues.scale, "bias": cues.bias}
    if cues.reader is not None:
        arrays |= cues.reader.arrays()
    np.savez_compressed(folder / "cues.npz", allow_pickle=False, **arrays)
    card = {"version": cues.version, "intents": list(INTENTS), "buckets": len(cues.weights)}
    _write_json(folder / "cues.json", {**card, **about})


def write_encoder_head(folder: Path, head: EncoderHead, about: Mapping[str, Any]) -> None:
    """Writes the head of the prompt encoder and its card."""
    folder.mkdir(parents=True, exist_ok=True)
    bias = np.float64(head.bias)
    np.savez_compressed(folder / FILE, allow_pickle=False, weights=head.weights, bias=bias)
    _write_json(folder / CARD, {"version": head.version, "encoder": head.encoder, **about})


def _calibration_table(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Known scores, ascending; of many, CALIBRATION_POINTS of them."""
    table = np.sort(scores[~np.isnan(scores)])
    if len(table) <= CALIBRATION_POINTS:
        return table
    points = np.linspace(0.0, 1.0, CALIBRATION_POINTS)
    thinned: NDArray[np.float64] = np.quantile(table, points, method="higher")
    return thinned


def _rounded(values: NDArray[np.floating]) -> list[float]:
    return [float(f"{v:.7g}") for v in values.tolist()]


def _write_json(path: Path, card: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
