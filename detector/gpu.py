"""Sessions of ONNX graphs: CUDA where it is, the CPU where it is not, said out loud.

onnxruntime lists the providers it was compiled with, not those that load, and falls back to the CPU
in silence: so what a session really runs on is looked up and told.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import structlog
from numpy.typing import NDArray

from detector.errors import ModelError

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"

log = structlog.get_logger()


def open_session(
    graph: Path,
    what: str,
    remedy: str,
    *,
    require_gpu: bool = False,
    try_gpu: bool = True,
    profile: Path | None = None,
) -> ort.InferenceSession:
    """A session with one thread: several would split sums differently, and workers share cores.

    Args:
        what: the graph in words.
        remedy: what to do when it cannot be loaded.
        try_gpu: False keeps it on the CPU.
        profile: onnxruntime writes there what ran where; the file's name begins so.

    Raises ModelError, also when `require_gpu` is set and CUDA does not load.
    """
    if not graph.exists():
        raise ModelError(str(graph), f"{what} is missing", remedy)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    wanted = [CPU]
    if try_gpu and CUDA in ort.get_available_providers() and has_nvidia_driver():
        wanted.insert(0, CUDA)
    try:
        session = ort.InferenceSession(str(graph), options, providers=wanted)
    except Exception as error:
        raise ModelError(str(graph), f"the graph cannot be loaded ({error})", remedy) from error
    if not on_gpu(session):
        if require_gpu:
            raise ModelError(
                str(graph),
                "require_gpu is set but CUDA did not load",
                "install the NVIDIA driver and CUDA 13 libraries or unset require_gpu",
            )
        if try_gpu:
            log.warning(f"no GPU: {what} runs on the CPU", provider=session.get_providers()[0])
    return session


def on_gpu(session: ort.InferenceSession) -> bool:
    """Whether a session runs on CUDA."""
    return bool(session.get_providers()[0] == CUDA)


def has_nvidia_driver() -> bool:
    """Whether the driver's library can be loaded; without it CUDA need not be tried."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


class BoundRun:
    """A graph at one fixed shape, its inputs and its output kept where it runs (IO binding)."""

    def __init__(
        self,
        session: ort.InferenceSession,
        inputs: Mapping[str, NDArray[Any]],
        output: tuple[str, tuple[int, ...]],
    ) -> None:
        """Binds buffers of the shapes and types of `inputs`, and a float32 one for `output`."""
        device = "cuda" if on_gpu(session) else "cpu"
        self._session = session
        self._binding = session.io_binding()
        self._inputs = {
            name: ort.OrtValue.ortvalue_from_numpy(array.copy(), device, 0)
            for name, array in inputs.items()
        }
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        name, shape = output
        self._output = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, device, 0)
        self._binding.bind_ortvalue_output(name, self._output)

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The output for inputs of the bound shapes; a copy."""
        for name, array in inputs.items():
            self._inputs[name].update_inplace(np.ascontiguousarray(array))
        self._session.run_with_iobinding(self._binding)
        return np.array(self._output.numpy(), np.float32)
