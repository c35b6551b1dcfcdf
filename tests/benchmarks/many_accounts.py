"""Cost per event and memory while a million accounts are tracked, each with a key."""

from __future__ import annotations

from statistics import median
from time import process_time

import msgspec
import numpy as np

from detector.pipeline import Pipeline
from streams.files import FileRecord
from streams.record import ApiRequest
from tests.benchmarks.account_memory import resident_bytes
from tests.benchmarks.recorded_day import RecordedDay, in_memory, read_requests, released
from tests.benchmarks.report import Goal, Row
from tests.benchmarks.tiny_requests import T0_S, fill

FEW, MANY = 10_000, 1_000_000
EVENTS = 8_000
PAIRS = 7


def measure(day: RecordedDay) -> list[Row]:
    """Two rows. Both pipelines live side by side and take turns, so that noise meets both."""
    requests = read_requests(day.native)
    few, many = (Pipeline(*released()) for _ in range(2))
    fill(few, FEW)
    fill(many, MANY)
    resident = resident_bytes()
    _cost_s(few, _events(requests, FEW, 0))
    pairs = []
    for turn in range(1, PAIRS + 1):
        few_s = _cost_s(few, _events(requests, FEW, turn))
        pairs.append((few_s, _cost_s(many, _events(requests, MANY, turn))))
    few_s, many_s = (median(side) / EVENTS * 1e6 for side in zip(*pairs, strict=True))
    return [
        Row(
            name=f"cost per event at {MANY:,} accounts",
            value=many_s,
            unit="µs",
            reference=few_s,
            ratio=median(b / a for a, b in pairs),
            goal=Goal("ratio", "most", 1.3),
            note=f"reference: at {FEW:,} accounts; composed requests of accounts drawn at random, "
            "each with a key of its own; every account was made by a real request",
        ),
        Row(
            name=f"memory at {MANY:,} accounts and as many keys",
            value=resident / 1e9,
            unit="GB",
            goal=Goal("value", "most", 4.0),
            note="resident set of the whole process, models and libraries included",
        ),
    ]


def _events(requests: list[ApiRequest], accounts: int, turn: int) -> list[FileRecord]:
    """Composed requests under the names of tracked accounts."""
    rng = np.random.default_rng([accounts, turn])
    encode = msgspec.json.Encoder().encode
    values = []
    for k, at in enumerate(rng.integers(0, accounts, EVENTS).tolist()):
        request = requests[(turn * EVENTS + k) % len(requests)]
        name = {"account": f"acct_{at:07d}", "key": f"key_{at:07d}", "event_id": f"{turn}-{k}"}
        fresh = {"end_user": None, "event_time_s": T0_S + 60.0 * turn}
        values.append(encode(msgspec.structs.replace(request, **name, **fresh)))
    return in_memory(values, [T0_S + 60.0 * turn] * EVENTS)


def _cost_s(pipeline: Pipeline, records: list[FileRecord]) -> float:
    start = process_time()
    pipeline.process(records)
    return process_time() - start
