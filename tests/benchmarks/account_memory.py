"""Memory of a tracked account: row, index and name."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

from detector.pipeline import Pipeline
from tests.benchmarks.recorded_day import RecordedDay, released
from tests.benchmarks.report import Goal, Row
from tests.benchmarks.tiny_requests import fill

BEFORE, ADDED = 200_000, 400_000


def measure(day: RecordedDay) -> list[Row]:
    """One row: growth of the resident set over accounts added once all bounded caches are full."""
    pipeline = Pipeline(*released())
    at_start = resident_bytes()
    fill(pipeline, BEFORE, with_key=False)
    before = resident_bytes()
    fill(pipeline, ADDED, first=BEFORE, with_key=False)
    grown = resident_bytes() - before
    return [
        Row(
            name="memory of an account",
            value=grown / ADDED,
            unit="bytes",
            goal=Goal("value", "most", 3_072.0),
            note=f"resident set, from {BEFORE:,} to {BEFORE + ADDED:,} accounts, with index and "
            f"names; the first {BEFORE:,} and all bounded caches took "
            f"{(before - at_start) / 2**20:,.0f} MiB",
        )
    ]


def resident_bytes() -> int:
    """Resident set now; where the system does not tell, its largest so far."""
    gc.collect()
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text("ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
