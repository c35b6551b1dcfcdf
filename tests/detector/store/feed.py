"""Alerts as they stand on the topic, made from the golden one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from streams.envelope import encode, rfc3339, wrap
from streams.log import LogRecord

T0_S = 1_760_000_000.0
TOPIC = "stillwatch.alerts"
GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "golden" / "alert.json").read_text("utf-8")
)


def alert(alert_id: str = "a-1", revision: int = 1, **fields: Any) -> dict[str, Any]:
    """The golden alert with another id, revision and fields; revised a second a revision."""
    revised = {"revised_at": rfc3339(T0_S + revision)}
    state = {"state": "open" if revision == 1 else "updated"}
    return {**GOLDEN, "alert_id": alert_id, "revision": revision, **revised, **state, **fields}


def value_of(data: dict[str, Any]) -> bytes:
    """The record's value: the alert in its envelope."""
    event = wrap(
        "alert",
        data,
        event_id=f"{data['alert_id']}/{data['revision']}",
        source="/test",
        subject=data["account"],
        time_s=T0_S,
        version=1,
        partition_key=data["account"],
    )
    return encode(event)


def record(offset: int, data: dict[str, Any] | bytes, partition: int = 0) -> LogRecord:
    """A record of the alerts topic; bytes are its value as they are."""
    value = data if isinstance(data, bytes) else value_of(data)
    return LogRecord(TOPIC, partition, offset, b"acme", value, T0_S)


def names(bodies: list[str]) -> list[tuple[str, int]]:
    """Id and revision of each alert."""
    return [(data["alert_id"], data["revision"]) for data in map(json.loads, bodies)]
