"""Shorthand of the format tests: records in, requests out, through the whole of intake."""

from __future__ import annotations

import json

from streams.intake import Intake, IntakeSettings
from streams.record import ApiRequest


def read_all(raw: object, settings: IntakeSettings | None = None) -> list[ApiRequest]:
    """The requests in one record; a text is given as it is, other values as JSON."""
    value = raw.encode() if isinstance(raw, str) else json.dumps(raw).encode()
    return Intake(settings).read(value, record_time_s=None)


def read_one(raw: object, settings: IntakeSettings | None = None) -> ApiRequest:
    """The only request in one record."""
    requests = read_all(raw, settings)
    assert len(requests) == 1, f"{len(requests)} requests"
    return requests[0]


def turns(request: ApiRequest) -> list[tuple[str, str]]:
    """Role and text of every message."""
    return [(message.role, message.text) for message in request.messages or []]
