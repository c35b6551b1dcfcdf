"""Events per second of the whole pipeline beside reading and untyped decode of the same bytes."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import process_time

import msgspec

from detector.pipeline import Models, Pipeline
from detector.policy import Policy
from streams.files import read_files
from tests.benchmarks.recorded_day import RecordedDay, batches, released
from tests.benchmarks.report import Goal, Row

PAIRS = 15


def measure(day: RecordedDay) -> list[Row]:
    """Two rows: native records (with the goal) and OpenAI-shaped ones."""
    models, policy = released()
    return [
        _row("native", day.native, models, policy, Goal("ratio", "least", 0.3)),
        _row("OpenAI-shaped", day.openai, models, policy, None),
    ]


def _row(name: str, path: Path, models: Models, policy: Policy, goal: Goal | None) -> Row:
    _pipeline_s(path, models, policy)  # warm-up: kernels, file cache
    count = sum(1 for _ in read_files([path]))
    pairs = []
    for _ in range(PAIRS):
        reference_s = _reference_s(path)
        pairs.append((reference_s, _pipeline_s(path, models, policy)))
    # What others take of the cores and their cache only ever adds time, so the best run of each
    # side says most (as timeit does); the median of the pairs stands beside it.
    reference, ours = (min(side) for side in zip(*pairs, strict=True))
    return Row(
        name=f"whole pipeline, {name}",
        value=count / ours,
        unit="events/s",
        reference=count / reference,
        ratio=reference / ours,
        goal=goal,
        note=f"{path.stat().st_size / count:,.0f} bytes a record, {count:,} records in batches of "
        f"5,000; reference: reading + untyped decode; CPU time, best of {PAIRS} runs each; "
        f"median of the pairs {median(a / b for a, b in pairs):.3f}",
    )


def _reference_s(path: Path) -> float:
    start = process_time()
    decode = msgspec.json.decode
    for record in read_files([path]):
        decode(record.value)
    return process_time() - start


def _pipeline_s(path: Path, models: Models, policy: Policy) -> float:
    start = process_time()
    pipeline = Pipeline(models, policy)
    for batch in batches(path):
        pipeline.process(batch)
    return process_time() - start
