"""Filling the tables of a pipeline: one small real request an account."""

from __future__ import annotations

from detector.pipeline import Pipeline
from tests.benchmarks.recorded_day import in_memory

T0_S = 1_790_000_000.0
CHUNK = 20_000


def fill(pipeline: Pipeline, accounts: int, *, first: int = 0, with_key: bool = True) -> None:
    """Sends one request of each of `accounts` accounts, numbered from `first`."""
    for start in range(first, first + accounts, CHUNK):
        numbers = range(start, min(start + CHUNK, first + accounts))
        values = [first_request(number, with_key) for number in numbers]
        pipeline.process(in_memory(values, [T0_S] * len(values)))


def first_request(number: int, with_key: bool = True) -> bytes:
    """The native record of an account's first request."""
    key = f'"key":"key_{number:07d}",' if with_key else ""
    return (
        f'{{"event_id":"first-{number}","event_time_s":{T0_S},"account":"acct_{number:07d}",{key}'
        f'"model":"m","messages":[{{"role":"user","text":"Question number {number}: why?"}}],'
        f'"status":200,"input_tokens":9,"output_tokens":40}}'
    ).encode()
