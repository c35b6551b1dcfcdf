"""Operators that onnxruntime runs on CUDA: a graph of these alone leaves no node on the CPU.

Taken from the kernels that the CUDA library of onnxruntime-gpu 1.31.1 registers for the opsets and
types that our graphs use (its docs/OperatorKernels.md lists them). An operator is added here after
a look there: tree ensembles, for one, have none.
"""

from __future__ import annotations

import onnx

CUDA_OPERATORS = frozenset(
    {
        "Add", "Cast", "Concat", "Div", "Gather", "Gemm", "LayerNormalization", "MatMul", "Max",
        "Min", "Mul", "Pad", "ReduceSum", "Relu", "Sigmoid", "Slice", "Sqrt", "Sub", "Tanh",
    }
)  # fmt: skip


def without_kernel(model: onnx.ModelProto) -> set[str]:
    """Operators of a graph that would run on the CPU."""
    return {
        node.op_type if not node.domain else f"{node.domain}.{node.op_type}"
        for node in model.graph.node
        if node.domain or node.op_type not in CUDA_OPERATORS
    }
