"""A day with everything that leaves a trace in a partition's state.

Duplicates, records of OpenTelemetry whose parent and child spans come apart, unreadable records,
late events, and pauses after which idle accounts are dropped.
"""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec

from detector.partition import PartitionSettings
from streams.intake import IntakeSettings
from streams.log import OutputRecord
from streams.record import ApiRequest
from tests.detector.worker_rig import INPUT, small_day

FORGETFUL = PartitionSettings(
    intake=IntakeSettings(), idle_s=6 * 3600.0, recent_ids=200, lateness_s=600.0
)
"""Accounts are dropped after six hours, event ids after two hundred others."""


def mixed_day(seed: int) -> list[OutputRecord]:
    """The composed day, changed by a seed."""
    rng = random.Random(seed)  # noqa: S311 - it has to repeat
    out: list[OutputRecord] = []
    recent: list[OutputRecord] = []
    ahead_s = 0.0
    for number, record in enumerate(small_day()):
        if number and number % 500 == 0:
            ahead_s += 12 * 3600.0  # a quiet night: who does not come back is dropped
        moved = _moved(record, ahead_s - (7200.0 if rng.random() < 0.01 else 0.0))
        out.append(moved)
        recent = [*recent[-50:], moved]
        if rng.random() < 0.05:
            out.append(rng.choice(recent))
        if rng.random() < 0.02:
            out.append(OutputRecord(INPUT, record.key, b"{broken", moved.timestamp_s))
        if rng.random() < 0.05:
            out += _spans(f"{number:032x}", record.key or b"", moved.timestamp_s, rng)
    return out


def _moved(record: OutputRecord, by_s: float) -> OutputRecord:
    request = msgspec.json.decode(record.value or b"", type=ApiRequest)
    at_s = (request.event_time_s or 0.0) + by_s
    value = msgspec.json.encode(msgspec.structs.replace(request, event_time_s=at_s))
    return OutputRecord(INPUT, record.key, value, max(at_s, 0.0))


def _spans(trace: str, key: bytes, at_s: float, rng: random.Random) -> list[OutputRecord]:
    """A call told twice: by the child and, later, by the span around it."""
    text = f"Which knot holds rope {rng.randrange(20)}?"
    account = key.decode()
    both = [
        _span(trace, "02", "01", at_s + 0.2, at_s + 0.9, text, account),
        _span(trace, "01", "", at_s, at_s + 1.0, text, account),
    ]
    return [OutputRecord(INPUT, key, json.dumps(one).encode(), at_s) for one in both]


def _span(
    trace: str, span: str, parent: str, start_s: float, end_s: float, text: str, account: str
) -> dict[str, Any]:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.input.messages": json.dumps(
            [{"role": "user", "parts": [{"type": "text", "content": text}]}]
        ),
        "account.id": account,
    }
    told = {
        "traceId": trace,
        "spanId": span,
        "parentSpanId": parent,
        "name": "chat m",
        "kind": 3,
        "startTimeUnixNano": str(int(start_s * 1e9)),
        "endTimeUnixNano": str(int(end_s * 1e9)),
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()],
    }
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "t"}, "spans": [told]}]}]}
