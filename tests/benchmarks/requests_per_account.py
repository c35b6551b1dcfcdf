"""Speed and memory whether accounts have few requests or many: neither grows with history."""

from __future__ import annotations

from time import process_time

import msgspec

from detector.pipeline import Models, Pipeline
from detector.policy import Policy
from streams.files import FileRecord
from streams.record import ApiRequest
from tests.benchmarks.recorded_day import RecordedDay, in_memory, read_requests, released
from tests.benchmarks.report import Goal, Row

EACH = (25, 100, 1_000, 10_000)
EVENTS = 30_000
ROUNDS = 7


def measure(day: RecordedDay) -> list[Row]:
    """A row for each number of requests an account, and one for the worst beside the best."""
    models, policy = released()
    requests = sorted(read_requests(day.native), key=lambda request: request.event_id)[:EVENTS]
    times_s = sorted(request.event_time_s or 0.0 for request in requests)
    logs = {each: deal_out(requests, times_s, each) for each in EACH}
    taken: dict[int, list[float]] = {each: [] for each in EACH}
    for turn in range(ROUNDS + 1):
        for each, log in logs.items():
            taken_s = _cost_s(log, models, policy)
            if turn:  # the first round is the warm-up
                taken[each].append(taken_s)
    speed = {each: len(logs[each]) / min(costs) for each, costs in taken.items()}
    rows = [
        Row(
            name=f"events/s at {each:,} requests an account",
            value=speed[each],
            unit="events/s",
            note=f"{len(logs[each]) // each:,} accounts, the same requests of the whole day, "
            f"without reading files; best of {ROUNDS} runs; "
            f"{account_bytes(logs[each], models, policy):,.0f} bytes of state an account",
        )
        for each in EACH
    ]
    worst, best = min(speed.values()), max(speed.values())
    goal = Goal("ratio", "least", 0.8)
    flat = Row(
        name="flat: worst of these ÷ best",
        value=worst,
        unit="events/s",
        reference=best,
        ratio=worst / best,
        goal=goal,
    )
    return [*rows, flat]


def deal_out(requests: list[ApiRequest], times_s: list[float], each: int) -> list[FileRecord]:
    """The requests dealt out in turn to as many accounts as make `each` requests an account."""
    accounts = max(len(requests) // each, 1)
    encode = msgspec.json.Encoder().encode
    values = [
        encode(
            msgspec.structs.replace(
                request, account=f"acct_{k % accounts}", key=None, end_user=None, event_time_s=at
            )
        )
        for k, (request, at) in enumerate(zip(requests, times_s, strict=True))
    ]
    return in_memory(values, times_s)


def account_bytes(log: list[FileRecord], models: Models, policy: Policy) -> float:
    """Bytes of state an account after the log: its row, and its share of keys and end users."""
    pipeline = Pipeline(models, policy)
    for first in range(0, len(log), 5000):
        pipeline.process(log[first : first + 5000])
    state = pipeline.partition(0).state
    tables = (state.accounts, state.end_users, state.keys)
    used = sum(len(table) * table.rows.dtype.itemsize for table in tables)
    return used / len(state.accounts)


def _cost_s(log: list[FileRecord], models: Models, policy: Policy) -> float:
    pipeline = Pipeline(models, policy)
    start = process_time()
    for first in range(0, len(log), 5000):
        pipeline.process(log[first : first + 5000])
    return process_time() - start
