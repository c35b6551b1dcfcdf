"""A rekeyer over a small log of exports, and what is compared afterwards."""

from __future__ import annotations

import json
import threading
from typing import Any

from prometheus_client import CollectorRegistry

from detector.metrics import RekeyMetrics
from detector.output_records import DEAD_LETTERS
from detector.rekey_role import RekeyRole
from detector.rekey_settings import RekeySettings
from streams.account_keys import AccountKeys
from streams.intake import IntakeSettings
from streams.log import Log, OutputRecord
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from tests.detector.worker_rig import read_all, ticking
from tests.streams.formats.test_otel import spans
from tests.streams.test_account_keys import call, trace

SOURCE, TARGET, GROUP = "llm.spans", "llm.requests", "stillwatch"
KEY = b"a key of this deployment"
T0_S = 1_790_000_000.0
ACCOUNTS = 7


def export(number: int) -> bytes:
    """An export of one call, each seventh of two accounts; bytes as no encoder of ours makes them.

    Each thirteenth is unreadable, each seventeenth has no account, each nineteenth no call.
    """
    if number % 13 == 5:
        return b"\x0a\x07not json %d" % number
    if number % 17 == 5:
        return _raw(spans(call(number, None, trace(number))))
    if number % 19 == 5:
        return _raw(spans({**call(number, "a0"), "attributes": [], "name": "GET"}))
    calls = [call(number, f"a{number % ACCOUNTS}", trace(number))]
    if number % 7 == 3:
        calls.append(call(10_000 + number, f"a{(number + 1) % ACCOUNTS}", trace(10_000 + number)))
    return _raw(spans(*calls))


def _raw(obj: dict[str, Any]) -> bytes:
    return json.dumps(obj, indent=1).encode()


def exports(count: int, topic: str = SOURCE) -> list[OutputRecord]:
    """Records without keys, with times and headers of their own."""
    return [
        OutputRecord(topic, None, export(n), T0_S + n, (("n", b"%d" % n), ("empty", b"")))
        for n in range(count)
    ]


def new_log(count: int, partitions: int = 3, **settings: Any) -> MemoryLog:
    """A log of that many exports."""
    log = MemoryLog()
    log.create_topic(SOURCE, TopicSettings(partitions=partitions, **settings))
    for topic in (TARGET, DEAD_LETTERS):
        log.create_topic(topic, TopicSettings(partitions=4))
    log.producer().send(exports(count))
    return log


def new_role(
    log: Log,
    *,
    size: int = 10,
    member: str = "r",
    cap: float = 0.5,
    registry: CollectorRegistry | None = None,
    stop: threading.Event | None = None,
    give_up_s: float = 60.0,
    source: str = SOURCE,
    target: str = TARGET,
    group: str = GROUP,
) -> RekeyRole:
    """A rekeyer that has joined."""
    return RekeyRole(
        log,
        AccountKeys(IntakeSettings(hmac_key=KEY)),
        RekeySettings(
            source=source,
            target=target,
            group=group,
            member_id=member,
            batch_records=size,
            bad_ratio_cap=cap,
            poll_s=0.0,
            lag_every_s=0.0,
            retry_s=0.0,
            give_up_s=give_up_s,
        ),
        RekeyMetrics(registry or CollectorRegistry()),
        stop or threading.Event(),
        monotonic_s=ticking(),
    )


Written = dict[str, list[tuple[bytes | None, bytes, float]]]


def written(log: Log, target: str = TARGET) -> Written:
    """Keyed records by their number (a header of the exports), each once per account."""
    found: Written = {}
    for record in read_all(log, target):
        number = dict(record.headers)["n"].decode()
        found.setdefault(number, []).append((record.key, record.value, record.timestamp_s))
    return {number: sorted(parts) for number, parts in found.items()}


def wanted(count: int) -> Written:
    """What must be written for so many exports: told from `export`'s words, not from the code."""
    found: Written = {}
    for n in range(count):
        if n % 13 == 5 or n % 17 == 5 or n % 19 == 5:
            continue
        first, second = f"a{n % ACCOUNTS}", f"a{(n + 1) % ACCOUNTS}"
        if n % 7 == 3:
            parts = [
                (first.encode(), _dense(spans(call(n, first, trace(n)))), T0_S + n),
                (second.encode(), _dense(spans(call(10_000 + n, second, trace(10_000 + n)))),
                 T0_S + n),
            ]  # fmt: skip
            found[str(n)] = sorted(parts)
        else:
            found[str(n)] = [(first.encode(), export(n), T0_S + n)]
    return found


def _dense(obj: dict[str, Any]) -> bytes:
    return json.dumps(obj, separators=(",", ":")).encode()


def refused(log: Log) -> list[tuple[int, int, str]]:
    """Partition, offset and kind of the dead letters."""
    letters = [json.loads(record.value)["data"] for record in read_all(log, DEAD_LETTERS)]
    return sorted((letter["partition"], letter["offset"], letter["kind"]) for letter in letters)


def n_refused(count: int) -> int:
    """How many of so many exports are dead letters."""
    return sum(n % 13 == 5 or n % 17 == 5 for n in range(count))
