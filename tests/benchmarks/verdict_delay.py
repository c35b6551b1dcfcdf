"""From a request's append to the verdict at the gateway hook, under load."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from detector.pipeline import Models, Pipeline
from detector.policy import Policy
from streams.log import OutputRecord
from streams.record import ApiRequest
from streams.traffic.day import compose_day
from tests.benchmarks.bench_worker import go_live, start_worker, work
from tests.benchmarks.cores import on, others
from tests.benchmarks.kafka_day import PARTITIONS, KafkaDay, kafka_day
from tests.benchmarks.live_load import live_load
from tests.benchmarks.live_service import LiveService, await_worker, live_service
from tests.benchmarks.recorded_day import RecordedDay, in_memory, released
from tests.benchmarks.report import Goal, Row

TOPIC = "llm.requests.live"
FOR_S = 10.0
PROBES = 250
SEEDS = (2, 3, 4)
POINT = 10
"""A probe is an account that gets a verdict at its 10th request."""
LOOK_S = 0.004
LIMIT_S = 10.0


def measure(day: RecordedDay) -> list[Row]:
    """Two rows: median, and 99th percentile with the goal."""
    models, policy = released()
    now_s = time.time()  # noqa: TID251 - a real broker and its API live in real time
    probes = list(_probes(models, policy, now_s))
    with kafka_day(day) as kafka, tempfile.TemporaryDirectory() as folder:
        kafka.add_topic(TOPIC)
        worker = start_worker(kafka.log, models, "fastest")
        go_live(worker, PARTITIONS)
        fastest = kafka.count / work(worker, kafka.count).wall_s
        worker.close()
        producer = kafka.log.producer()
        producer.send(record for probe in probes for record in probe[:-1])
        producer.close()
        with on(others()), live_service(kafka, TOPIC, Path(folder)) as service:
            await_worker(kafka, TOPIC)
            rate = fastest / 2.0
            with live_load(kafka.bootstrap, TOPIC, day.native, rate, FOR_S, now_s) as load:
                took_s = _probe(kafka, service, [probe[-1] for probe in probes])
                sent, sent_s = load.recv()
    p50_s, p99_s = (float(np.percentile(took_s, q)) for q in (50, 99))
    note = (
        f"at {sent / sent_s:,.0f} events/s, half of the {fastest:,.0f} that the worker does on the "
        f"wall; {len(took_s)} of {len(probes)} accounts got a verdict at their {POINT}th request; "
        f"worker on one core; broker, API and load on the other; looked for every "
        f"{LOOK_S * 1e3:.0f} ms; worst {max(took_s):.2f} s"
    )
    return [
        Row(name="append to verdict at the hook, median", value=p50_s, unit="s", note=note),
        Row(
            name="append to verdict at the hook, p99",
            value=p99_s,
            unit="s",
            goal=Goal("value", "most", 0.5),
            note="the same run",
        ),
    ]


def _probes(models: Models, policy: Policy, at_s: float) -> Iterator[list[OutputRecord]]:
    """The first requests of planted accounts that get a verdict at the last of them."""
    found = 0
    for seed in SEEDS:
        composed = compose_day(seed)
        campaigns = {campaign.name for campaign in composed.campaigns}
        first: dict[str, list[ApiRequest]] = {}
        for request in composed.requests:
            account = request.account or ""
            if composed.truth.get(account) in campaigns and len(first.get(account, ())) < POINT:
                first.setdefault(account, []).append(request)
        for account, requests in sorted(first.items()):
            name = f"probe_{seed}_{account}"
            records = _records(name, requests, at_s)
            values = [record.value or b"" for record in records]
            out = Pipeline(models, policy).process(in_memory(values, [at_s] * len(values)))
            if [change.account_requests for change in out.verdicts] == [POINT]:
                yield records
                found += 1
                if found == PROBES:
                    return


def _records(name: str, requests: list[ApiRequest], at_s: float) -> list[OutputRecord]:
    """The requests under another name and at another time, with nothing that others share."""
    encode = msgspec.json.Encoder().encode
    alone = {"account": name, "key": None, "end_user": None, "organisation": None}
    return [
        OutputRecord(
            TOPIC,
            name.encode(),
            encode(
                msgspec.structs.replace(
                    request, **alone, event_id=f"{name}-{number}", event_time_s=at_s
                )
            ),
            at_s,
        )
        for number, request in enumerate(requests)
    ]


def _probe(kafka: KafkaDay, service: LiveService, records: list[OutputRecord]) -> list[float]:
    """Appends the records over the time of the load; seconds until each account has its verdict."""
    producer = kafka.log.producer()
    asking = socket.create_connection(("127.0.0.1", service.port), 30.0)
    waiting: dict[str, float] = {}
    took_s: list[float] = []
    begin_s = time.perf_counter()
    every_s = 0.9 * FOR_S / len(records)
    sent = 0
    while sent < len(records) or waiting:
        now_s = time.perf_counter()
        if sent < len(records) and now_s >= begin_s + every_s * sent:
            waiting[(records[sent].key or b"").decode()] = now_s
            producer.send([records[sent]])
            sent += 1
        for account, since_s in [*waiting.items()]:
            verdict = _ask(asking, service.key, account)
            passed_s = time.perf_counter() - since_s
            if verdict:
                took_s.append(passed_s)
            if verdict or passed_s > LIMIT_S:
                del waiting[account]
        time.sleep(LOOK_S)
    asking.close()
    producer.close()
    return took_s


def _ask(sock: socket.socket, key: str, account: str) -> bool:
    """Whether the hook gives a verdict on the account."""
    sock.sendall(
        f"GET /v1/decision HTTP/1.1\r\nhost: x\r\nx-stillwatch-key: {key}\r\n"
        f"x-stillwatch-account: {account}\r\n\r\n".encode()
    )
    answer = sock.recv(65_536)
    if not answer.startswith(b"HTTP/1.1 204 "):
        raise RuntimeError(f"an unexpected answer: {answer[:200]!r}")
    return b"x-stillwatch-verdict: allow" not in answer
