"""`python -m tests.benchmarks.gpu`: every graph on CPU and GPU, with and without IO binding.

Checks that both give the same to 1e-3 and that on the GPU no node is left on the CPU, from
onnxruntime's own profile. Without a GPU it measures the CPU and says that the rest is not measured.
Writes `build/gpu.json`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from detector.encoder import DIMENSIONS, GRAPH, LENGTHS
from detector.gpu import CPU, BoundRun, has_nvidia_driver, on_gpu, open_session
from detector.settings import packaged_models

ENCODER = Path(__file__).parents[2] / "build" / "encoder"
OUTPUT = Path(__file__).parents[2] / "build" / "gpu.json"
AGREEMENT = 1e-3
SECONDS = 2.0
"""Each case is repeated for so long, and at least LEAST times."""
LEAST = 20
VOCABULARY = 128_000

Inputs = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """One graph at one shape."""

    name: str
    graph: Path
    rows: int
    inputs: Inputs
    output: tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured of a case.

    Attributes:
        rows_per_s: at the median run. p50_ms, p99_ms: of a run, from inputs in memory to outputs.
        difference: largest, to the CPU's plain run.
        on_cpu: nodes that ran on the CPU although the session runs on the GPU.
    """

    case: str
    device: str
    binding: bool
    rows_per_s: float
    p50_ms: float
    p99_ms: float
    difference: float
    on_cpu: int


def cases() -> list[Case]:
    """The classifier at three batch sizes and the encoder at each of its lengths."""
    rng = np.random.default_rng(5)
    account = packaged_models() / "account.onnx"
    session = open_session(account, "the account classifier", "train it", try_gpu=False)
    width = int(session.get_inputs()[0].shape[-1])
    found = [
        Case(
            f"account classifier, {rows} rows", account, rows,
            {"features": rng.normal(0.0, 1.0, (rows, width)).astype(np.float32)},
            ("probability", (rows, 1)),
        )
        for rows in (1, 64, 512)
    ]  # fmt: skip
    for length in LENGTHS:
        for rows in (1, 32, 128):
            tokens = rng.integers(3, VOCABULARY, (rows, length)).astype(np.int32)
            mask = np.ones((rows, length, 1), np.float32)
            mask[:, length - 3 :] = 0.0
            found.append(
                Case(
                    f"prompt encoder, {rows} rows of {length} tokens", ENCODER / GRAPH, rows,
                    {"tokens": tokens, "mask": mask}, ("vectors", (rows, DIMENSIONS)),
                )
            )  # fmt: skip
    return found


def measure(case: Case, *, try_gpu: bool, wanted: NDArray[np.float32] | None) -> list[Figure]:
    """A case on one device, without binding and with it; `wanted` is what the CPU gives."""
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(
            case.graph, case.name, "build it", try_gpu=try_gpu, profile=Path(folder) / "run"
        )
        plain_run(session, case)
        device = "GPU" if on_gpu(session) else "CPU"
        on_cpu = 0 if device == "CPU" else nodes_on_cpu(Path(session.end_profiling()))
        if device == "CPU":
            session.end_profiling()
    session = open_session(case.graph, case.name, "build it", try_gpu=try_gpu)
    bound = BoundRun(session, case.inputs, case.output)
    figures = []
    runs: tuple[Callable[[], NDArray[np.float32]], ...] = (
        lambda: plain_run(session, case),
        lambda: bound(case.inputs),
    )
    for binding, run in zip((False, True), runs, strict=True):
        got = run()
        reference = plain_run(session, case) if wanted is None else wanted
        times = timed(run)
        figures.append(
            Figure(
                case.name, device, binding, case.rows / float(np.median(times)),
                1e3 * float(np.median(times)), 1e3 * float(np.quantile(times, 0.99)),
                float(np.abs(got - reference).max()), on_cpu,
            )
        )  # fmt: skip
    return figures


def plain_run(session: ort.InferenceSession, case: Case) -> NDArray[np.float32]:
    """Without binding: onnxruntime copies inputs and outputs itself."""
    (out,) = session.run([case.output[0]], case.inputs)
    return np.asarray(out, np.float32)


def timed(run: Callable[[], object]) -> list[float]:
    """Seconds of each run."""
    run()
    times: list[float] = []
    end_s = perf_counter() + SECONDS
    while len(times) < LEAST or perf_counter() < end_s:
        start_s = perf_counter()
        run()
        times.append(perf_counter() - start_s)
    return times


def nodes_on_cpu(profile: Path) -> int:
    """How many different nodes of a profile ran on the CPU."""
    events = json.loads(profile.read_text("utf-8"))
    return len(
        {e["name"] for e in events if e.get("cat") == "Node" and e["args"].get("provider") == CPU}
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, writes; 1 when outputs differ or a node is left on the CPU."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 140)
    with_gpu = has_nvidia_driver()
    figures: list[Figure] = []
    for case in cases():
        session = open_session(case.graph, case.name, "build it", try_gpu=False)
        wanted = plain_run(session, case)
        figures += measure(case, try_gpu=False, wanted=wanted)
        if with_gpu:
            figures += measure(case, try_gpu=True, wanted=wanted)
    table = Table(title="graphs on CPU and GPU")
    for head in ("graph", "device", "IO binding", "rows/s", "p50 ms", "p99 ms", "difference"):
        table.add_column(head)
    for f in figures:
        table.add_row(
            f.case, f.device, "yes" if f.binding else "no", f"{f.rows_per_s:,.0f}",
            f"{f.p50_ms:.3f}", f"{f.p99_ms:.3f}", f"{f.difference:.1e}",
        )  # fmt: skip
    console.print(table)
    on_gpu_too = any(f.device == "GPU" for f in figures)
    if not on_gpu_too:
        console.print("[bold white on red] NOT MEASURED [/] the GPU: none could be used here")
    wrong = [f for f in figures if not f.difference <= AGREEMENT or f.on_cpu]
    for f in wrong:
        console.print(f"{f.case} on {f.device}: difference {f.difference}, {f.on_cpu} nodes on CPU")
    written = {
        "machine": platform.processor() or platform.machine(),
        "onnxruntime": ort.__version__,
        "gpu": "measured" if on_gpu_too else "not measured",
        "figures": [asdict(f) for f in figures],
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
