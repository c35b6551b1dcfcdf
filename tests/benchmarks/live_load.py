"""A steady stream of the composed day's requests, sent from a process of its own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.log import OutputRecord
from tests.benchmarks.cores import on, others
from tests.benchmarks.recorded_day import read_requests

TICK_S = 0.02


@contextmanager
def live_load(
    bootstrap: str, topic: str, native: Path, per_s: float, for_s: float, at_s: float
) -> Iterator[Connection]:
    """Sends `per_s` records a second for `for_s` seconds from when the block begins.

    at_s: event time of them all, UTC epoch seconds. The connection then gives how many were sent
    and how many seconds that took.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    arguments = (there, bootstrap, topic, native, per_s, for_s, at_s)
    with on(others()):
        process = context.Process(target=_send, args=arguments)
        process.start()
    try:
        here.recv()  # all is encoded
        here.send("go")
        yield here
    finally:
        process.join()


def _send(
    pipe: Connection, bootstrap: str, topic: str, native: Path, per_s: float, for_s: float,
    at_s: float,
) -> None:  # fmt: skip
    requests = read_requests(native)
    encode = msgspec.json.Encoder().encode
    records = []
    for number in range(int(per_s * for_s)):
        request = requests[number % len(requests)]
        fresh = msgspec.structs.replace(request, event_id=f"load-{number}", event_time_s=at_s)
        key = (request.account or "").encode()
        records.append(OutputRecord(topic, key, encode(fresh), at_s))
    producer = KafkaLog(KafkaSettings(bootstrap=bootstrap)).producer()
    pipe.send("ready")
    pipe.recv()
    start_s = time.perf_counter()
    sent = 0
    while sent < len(records):
        due = min(int((time.perf_counter() - start_s) * per_s), len(records))
        producer.send(records[sent:due])
        sent = due
        time.sleep(TICK_S)
    pipe.send((sent, time.perf_counter() - start_s))
    producer.close()
