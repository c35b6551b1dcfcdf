"""What comes in that should not: through a real worker on real Kafka, each record accounted for."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import kafka
import msgspec
import pytest

from detector.output_records import DEAD_LETTERS, SCORES
from tests.detector.builders import ask
from tests.services.deployment import Deployment, Running, deployment
from tests.services.plain_readers import read_committed

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PARTITIONS = 2
GOOD = 400
MEGABYTE = 1_000_000


def good(number: int, now_s: float, mark: str) -> dict[str, Any]:
    """A native record of one of twenty accounts."""
    account = f"customer-{number % 20}{mark}"
    request = ask(f"question {number}", account=account, event_id=f"g-{number}", event_time_s=now_s)
    found: dict[str, Any] = json.loads(msgspec.json.encode(request))
    return found


def text(value: object) -> bytes:
    """JSON as Python's own encoder writes it: NaN and lone surrogates included."""
    return json.dumps(value).encode()


def nasty(now_s: float, mark: str) -> dict[str, tuple[bytes | None, str]]:
    """A value of each bad kind, and what must become of it: "letter" (a dead letter), "request",
    "duplicate", "any" (a request or a dead letter, but one of them)."""
    base = good(10_000, now_s, mark)

    def native(name: str, **changes: object) -> dict[str, Any]:
        return {**base, "event_id": f"n-{name}", **changes}

    long = "word " * (10 * MEGABYTE // 5)
    return {
        "large": (text(native("large", messages=[{"role": "user", "text": long}])), "request"),
        "large and broken": (b'{"messages": "' + b"x" * (10 * MEGABYTE), "letter"),
        "large of no format": (text({"picture": "x" * (10 * MEGABYTE)}), "letter"),
        "unknown format": (b'{"level": "info", "msg": "started"}', "letter"),
        "broken": (b'{"account": "a", "messages": [', "letter"),
        "no JSON": (b"\x00\xff\xfe\x80 not JSON", "letter"),
        "plain text": (b"GET /v1/models 200", "letter"),
        "wrong types": (text(native("types", messages={"role": 5}, model=["m"])), "letter"),
        "negative time": (text(native("negative", event_time_s=-5.0)), "letter"),
        "far future": (text(native("future", event_time_s=now_s + 10 * 365 * 86_400)), "request"),
        "beyond years": (text(native("beyond", event_time_s=1e300)), "letter"),
        "NaN": (text(native("nan", temperature=float("nan"))), "any"),
        "infinity": (text(native("inf", event_time_s=float("inf"))), "letter"),
        "huge number": (text(native("huge", input_tokens=10**400)), "letter"),
        "digits": (b'{"account": "a", "event_time_s": 1' + b"0" * 5000 + b"}", "letter"),
        "duplicate": (text(good(0, now_s, mark)), "duplicate"),
        "NUL bytes": (
            text(native("nul", messages=[{"role": "user", "text": "a\x00b"}], model="m\x00")),
            "request",
        ),
        "lone surrogate": (
            text(native("surrogate", messages=[{"role": "user", "text": "a\ud800b"}])),
            "any",
        ),
        "surrogate account": (text(native("who", account="\udfff")), "any"),
        "deep": (b"[" * 100_000 + b"]" * 100_000, "letter"),
        "deep tools": (text(native("tools"))[:-1] + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
                       "any"),
        "no object": (b"[]", "letter"),
        "null": (b"null", "letter"),
        "empty": (b"", "letter"),
        "tombstone": (None, "letter"),
    }  # fmt: skip


def send(made: Deployment, values: list[tuple[bytes | None, bytes | None]]) -> None:
    """A careless producer: keys and values as given, headers that mean nothing."""
    producer = kafka.KafkaProducer(
        bootstrap_servers=made.bootstrap, compression_type="gzip", max_request_size=16 * MEGABYTE
    )
    noise = [("", b""), ("traceparent", b"\xff" * 64), ("content-type", b"text/x-nonsense")]
    sent = [
        producer.send(made.input_topic, value, key, headers=[] if i % 3 else noise)
        for i, (key, value) in enumerate(values)
    ]
    producer.close()
    for one in sent:
        one.get(timeout=10.0)


def letters(made: Deployment) -> list[dict[str, Any]]:
    """The dead letters of the input topic."""
    events = [msgspec.json.decode(r.value) for r in read_committed(made.bootstrap, DEAD_LETTERS)]
    return [event["data"] for event in events if event["data"]["topic"] == made.input_topic]


def test_every_bad_record_is_accounted_for(tmp_path: Path) -> None:
    """Records of every bad kind, three of 10 MB among them, between good ones: the worker goes on,
    and records in = requests + duplicates + dead letters, by its metrics and by the topics."""
    with deployment(tmp_path, partitions=PARTITIONS) as made:
        worker = made.worker("one")
        now_s = time.time()  # noqa: TID251 - a deployment lives in real time
        firsts = [good(n, now_s, made.mark) for n in range(GOOD)]
        values: list[tuple[bytes | None, bytes | None]] = [
            (row["account"].encode(), text(row)) for row in firsts
        ]
        # Beside the record that it repeats, else it is another partition's and nobody's duplicate.
        bad = nasty(now_s, made.mark)
        values += [(firsts[0]["account"].encode(), value) for value, _ in bad.values()]
        unkeyed = [good(n, now_s, made.mark) for n in range(GOOD, GOOD + 5)]
        values += [(None, text(row)) for row in unkeyed]
        lasts = [good(n, now_s, made.mark) for n in range(GOOD + 5, 2 * GOOD)]
        values += [(row["account"].encode(), text(row)) for row in lasts]
        send(made, values)
        made.handled([worker], len(values))
        counts = counts_of(worker)
        assert counts["records"] == len(values) == sum(made.committed().values())
        assert (
            counts["requests"] + counts["duplicates"] + counts["dead_letters"] == counts["records"]
        )
        assert counts["duplicates"] == 1
        dead = letters(made)
        assert len(dead) == counts["dead_letters"]
        places = {(letter["partition"], letter["offset"]) for letter in dead}
        assert len(places) == len(dead)
        check_kinds(made, bad, places)
        assert sum(letter["byte_length"] > 10 * MEGABYTE for letter in dead) == 2
        # An account's requests behind the bad ones were scored too.
        assert last_scored(made) > GOOD // 20
        worker.stop()


def check_kinds(
    made: Deployment, bad: dict[str, tuple[bytes | None, str]], places: set[tuple[int, int]]
) -> None:
    """Each bad record became what it must, and no good one is a dead letter."""
    by_value: dict[bytes | None, list[tuple[int, int]]] = {}
    for record in read_committed(made.bootstrap, made.input_topic):
        by_value.setdefault(record.value, []).append((record.partition, record.offset))
    wrong = {
        name: want
        for name, (value, want) in bad.items()
        if want != "any" and (want == "letter") != (by_value[value][-1] in places)
    }
    assert not wrong
    assert places <= {at for value, _ in bad.values() for at in by_value[value]}


def counts_of(worker: Running) -> dict[str, float]:
    """The worker's counts of what became of records."""
    names = ("records", "requests", "duplicates", "dead_letters")
    return {name: worker.metric(f"stillwatch_{name}_total") for name in names}


def last_scored(made: Deployment) -> int:
    """The largest number of requests that a scoring tells."""
    rows = [msgspec.json.decode(r.value)["data"] for r in read_committed(made.bootstrap, SCORES)]
    return max(int(row["requests"]) for row in rows)


def test_a_topic_of_another_format(tmp_path: Path) -> None:
    """A topic of web server lines stops the worker: exit 3, one sentence, nothing committed of what
    was not handled. Told to go on, all of it becomes dead letters, once, and is committed."""
    lines = [f'{{"verb": "GET", "uri": "/{n}", "bytes": {n}}}'.encode() for n in range(900)]
    with deployment(tmp_path, partitions=PARTITIONS, batch_records="50") as made:
        send(made, [(str(n % 50).encode(), line) for n, line in enumerate(lines)])
        for _ in range(2):  # and again, as under a supervisor that starts it anew
            worker = made.worker("one")
            assert worker.ended() == 3
            said = worker.said()
            assert "200 of 200 records could not be read" in said, said
            assert "Traceback" not in said
            assert said.count("--bad-ratio-cap 1") == 1, said
            committed = sum(made.committed().values())
            assert committed < len(lines) / 2
            assert len(letters(made)) == committed
        worker = made.worker("one", "--bad-ratio-cap", "1")
        made.until(lambda: sum(made.committed().values()) == len(lines), "the topic is drained")
        worker.stop()
        dead = letters(made)
        places = [(letter["partition"], letter["offset"]) for letter in dead]
        assert len(places) == len(set(places)) == len(lines)
