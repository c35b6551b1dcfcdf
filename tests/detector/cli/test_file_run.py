"""How files are cut into batches and how their times are read."""

from __future__ import annotations

import msgspec
import pytest

from detector.cli.event_time import EventTime
from detector.cli.file_run import batches
from streams.files import FileRecord
from streams.intake import IntakeSettings
from tests.detector.builders import T0_S, ask


def record(size: int) -> FileRecord:
    """A record of so many bytes."""
    return FileRecord("f", 1, size, b"x" * size, None)


def test_batches_are_bounded_by_records_and_by_bytes() -> None:
    """Neither many small records nor a few huge ones make a large batch; none is lost."""
    sizes = [1, 1, 1, 1, 10, 1, 30, 1]
    cut = [[r.byte_length for r in b] for b in batches(map(record, sizes), 3, 10)]
    assert cut == [[1, 1, 1], [1, 10], [1, 30], [1]]
    assert list(batches([])) == []


@pytest.mark.parametrize(
    ("value", "time_s"),
    [
        (msgspec.json.encode(ask(event_time_s=T0_S)), T0_S),
        (msgspec.json.encode(ask()), None),
        (b"{broken", None),
        (b"\xff\xfe", None),
        (b"", None),
        (b'{"event_time_s": "soon"}', None),
        (b'{"event_time_s": 1e300}', 1e300),
    ],
)
def test_the_time_of_a_record(value: bytes, time_s: float | None) -> None:
    """Native times are read as they stand; what cannot be read has no time and raises nothing."""
    assert EventTime(IntakeSettings())(value) == time_s


def test_the_time_of_another_format() -> None:
    """Other formats are decoded by the intake."""
    value = msgspec.json.encode(
        {
            "timestamp": "2026-01-02T03:04:05Z",
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "accountId": "123456789012",
            "requestId": "r",
            "operation": "InvokeModel",
            "modelId": "m",
            "input": {"inputBodyJson": {"messages": [{"role": "user", "content": "hi"}]}},
            "output": {"outputBodyJson": {}},
        }
    )
    assert EventTime(IntakeSettings())(value) == 1_767_323_045.0
