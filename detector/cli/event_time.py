"""The event time of a raw record, for merging files: cheap for native records."""

from __future__ import annotations

import msgspec

from streams.errors import MalformedRecord
from streams.intake import Intake, IntakeSettings


class _Native(msgspec.Struct):
    event_time_s: float | None = None


class EventTime:
    """Reads event times; a `streams.files.TimeOf`.

    It has its own intake, so that its look ahead of the pipeline's leaves no trace there.
    """

    def __init__(self, settings: IntakeSettings) -> None:
        self._intake = Intake(settings)
        self._native = msgspec.json.Decoder(_Native)

    def __call__(self, value: bytes) -> float | None:
        """The earliest event time in a record (UTC epoch seconds), None where there is none."""
        try:
            found = self._native.decode(value).event_time_s
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        if found is not None:
            return found
        try:
            requests = self._intake.read(value, record_time_s=None)
        except MalformedRecord:
            return None  # the pipeline makes it a dead letter and says why
        times = [r.event_time_s for r in requests if r.event_time_s is not None]
        return min(times, default=None)
