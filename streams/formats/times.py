"""Points in time as logs write them, read to UTC epoch seconds.

Units are told apart by magnitude, which is unambiguous for the years 2000 to 2200: seconds reach
1e10, milliseconds 1e13, microseconds 1e16, .NET ticks 7e17, nanoseconds 7e18.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from streams.errors import MalformedRecord
from streams.formats.values import SENTINELS, is_absent, long_pair
from streams.record import EARLIEST_S, LATEST_S

TICKS_1970 = 621_355_968_000_000_000
"""1970-01-01 in .NET ticks (100 ns since the year 1)."""

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(Z|UTC|[+-]\d\d:?\d\d)?)?",
    re.IGNORECASE,
)
_ACCESS_LOG = re.compile(r"\[?(\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]?")
_DOTNET_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")


def epoch_s(value: object, field: str) -> float | None:
    """A point in time in epoch seconds; None where the log does not say (also 0 and sentinels).

    Raises:
        MalformedRecord: not a time, or one outside the years 2000 to 2200.
    """
    if value is None or is_absent(value):
        return None
    if isinstance(value, str):
        seconds = _from_text(value.strip(), field)
    elif isinstance(value, bool):
        raise MalformedRecord(field, "a time", repr(value))
    elif isinstance(value, int | float):
        seconds = _from_number(value)
    elif isinstance(value, list):
        seconds = _from_pair(value, field)
    elif isinstance(value, dict):
        seconds = _from_object(value, field)
    else:
        raise MalformedRecord(field, "a time", type(value).__name__)
    if seconds is None:
        return None
    if not EARLIEST_S <= seconds <= LATEST_S:
        raise MalformedRecord(field, "a time between the years 2000 and 2200", f"{seconds:.6g} s")
    return seconds


def span_ms(start_s: float | None, end_s: float | None) -> float | None:
    """Milliseconds from start to end; None when unknown or negative."""
    if start_s is None or end_s is None or end_s < start_s:
        return None
    return round((end_s - start_s) * 1000.0, 3)


def _from_number(value: float) -> float | None:
    if value == 0 or value in SENTINELS:
        return None
    size = abs(value)
    if size < 1e11:
        return float(value)
    if size < 1e14:
        return value / 1e3
    if size < 1e17:
        return value / 1e6
    if TICKS_1970 < value < 7e17:
        return (value - TICKS_1970) / 1e7
    return value / 1e9


def _from_text(text: str, field: str) -> float | None:
    match = _ISO.fullmatch(text)
    if match:
        day, clock, fraction, zone = match.groups()
        zone = "+00:00" if not zone or zone.upper() in ("Z", "UTC") else zone
        try:
            # the fraction is added apart: datetime keeps six digits, logs have up to nine
            parsed = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{zone}")
        except ValueError:
            raise MalformedRecord(field, "a time", "a date that does not exist") from None
        return parsed.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)
    if match := _ACCESS_LOG.fullmatch(text):
        try:
            return datetime.strptime(match.group(1), "%d/%b/%Y:%H:%M:%S %z").timestamp()
        except ValueError:
            raise MalformedRecord(field, "a time", "a date that does not exist") from None
    if match := _DOTNET_DATE.fullmatch(text):
        return int(match.group(1)) / 1e3
    try:
        if len(text) < 40:
            return _from_number(int(text) if text.lstrip("-").isdigit() else float(text))
    except ValueError:
        pass
    for pattern in (
        "%m/%d/%Y %H:%M:%S",
        "%m/%d/%Y, %I:%M:%S %p",
        "%a, %d %b %Y %H:%M:%S %Z",
        "%b %d, %Y @ %H:%M:%S.%f",
        "%Y/%m/%d %H:%M:%S",
        "%Y/%m/%d - %H:%M:%S",
    ):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise MalformedRecord(field, "a time", f"text of {len(text)} characters")


def _from_pair(value: list[object], field: str) -> float | None:
    """OpenTelemetry JS hrtime: [seconds, nanoseconds]."""
    if len(value) == 2:
        seconds, nanos = value
        if isinstance(seconds, int | float) and isinstance(nanos, int | float):
            return _from_number(seconds + nanos / 1e9)
    raise MalformedRecord(field, "a [seconds, nanoseconds] pair", f"a list of {len(value)}")


def _from_object(value: dict[str, object], field: str) -> float | None:
    if "low" in value and "high" in value:
        return _from_number(long_pair(value, field))
    if "seconds" in value:
        seconds = value["seconds"]
        nanos = value.get("nanos", 0)
        if isinstance(seconds, dict):
            seconds = long_pair(seconds, field)
        try:
            return float(str(seconds)) + float(str(nanos)) / 1e9
        except ValueError:
            raise MalformedRecord(field, "a time", "seconds and nanos of other types") from None
    for name in ("$date", "$numberLong", "value"):
        if name in value:
            return epoch_s(value[name], field)
    raise MalformedRecord(field, "a time", "an object")
