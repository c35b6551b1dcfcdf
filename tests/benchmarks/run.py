"""`python -m tests.benchmarks.run`: measures, prints the table, writes `build/bench.json`.

Every measurement has a process of its own, on one core with one thread, and runs once unmeasured
first, so that compiling kernels is not counted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path

from rich.console import Console

from tests.benchmarks.kafka_day import Unavailable
from tests.benchmarks.recorded_day import RecordedDay, record_day
from tests.benchmarks.report import Row, missed, print_table, write_json

MEASUREMENTS = (
    "pipeline_speed",
    "many_accounts",
    "account_memory",
    "requests_per_account",
    "model_speed",
    "encoder_speed",
    "mutated_records",
    "worker_speed",
    "recovery_speed",
    "snapshot_pause",
    "decision_speed",
    "verdict_delay",
    "two_workers",
)
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
OUTPUT = Path(__file__).parents[2] / "build" / "bench.json"


def main(arguments: list[str] | None = None) -> int:
    """Runs all measurements or those named; 1 with `--check` when a goal is missed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument("--only", choices=MEASUREMENTS, nargs="+", default=list(MEASUREMENTS))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160)
    for name in ONE_THREAD:
        os.environ[name] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rows: list[Row] = []
    skipped: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        console.print("composing a day of traffic")
        day = record_day(Path(folder))
        for name in options.only:
            console.print(f"measuring {name}")
            # Not a pool: its processes are daemons, which may not start processes of their own.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                try:
                    rows += process.submit(measure, name, day).result()
                except Unavailable as reason:
                    skipped.append(f"{name}: {reason}")
    print_table(rows, console)
    for text in skipped:
        console.print(f"[bold white on red] SKIPPED [/] {text}")
    write_json(rows, options.output)
    console.print(f"written to {options.output}")
    return 1 if options.check and missed(rows) else 0


def measure(name: str, day: RecordedDay) -> list[Row]:
    """The rows of one measurement; runs in the child process."""
    found: list[Row] = import_module(f"tests.benchmarks.{name}").measure(day)
    return found


if __name__ == "__main__":
    sys.exit(main())
