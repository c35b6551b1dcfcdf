"""Readers of single values: what counts as absent, and numbers that logs write in many ways.

Log fields (counts, times, status) are read strictly: a value that cannot be what the field says
raises `MalformedRecord` with the field's name. What the client wrote into its own request
(temperature, seed ...) is read leniently by `params`: a value that no provider accepts is left out,
so that nobody leaves the log by sending a strange parameter.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from streams.errors import MalformedRecord
from streams.json_bytes import without_half_pairs

Fields = dict[str, Any]
"""Fields of an `ApiRequest` under construction, absent ones left out."""

ABSENT_TEXTS = frozenset(
    {"", "none", "null", "nan", "{}", "[]", "-", "undefined", "n/a", '""', "<nil>"}
)
"""Texts (lower case, stripped) that stand for "the log does not say" in an identity or a count."""

SENTINELS = frozenset({-1, -3, -1000})
"""Numbers that logs write where nothing was measured."""

LARGEST = 2**53
"""Larger counts are not counts: JSON numbers lose digits there."""


def is_absent(value: object) -> bool:
    """True for None, empty containers and the texts that stand for nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return len(value) < 12 and value.strip().lower() in ABSENT_TEXTS
    if isinstance(value, dict | list):
        return not value
    return False


def mapping(value: object) -> dict[str, Any]:
    """The value if it is a JSON object (or the text of one), else an empty mapping."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        parsed = json_in(value)
        if isinstance(parsed, dict):
            return parsed
    return {}


def sequence(value: object) -> list[Any]:
    """The value if it is a JSON array (or the text of one), else an empty list."""
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        parsed = json_in(value)
        if isinstance(parsed, list):
            return parsed
    return []


def json_in(text: str) -> object:
    """The JSON document inside a text, twice if it is a string in a string; None if there is none.

    Only objects and arrays count: a prompt that reads "42" is a prompt, not a number.
    """
    for _ in range(3):
        head = text.lstrip()[:1]
        if head not in ("{", "[", '"'):
            return None
        try:
            parsed = msgspec.json.decode(text)
        except RecursionError:
            return None
        except (msgspec.DecodeError, UnicodeEncodeError):
            parsed = _repaired(text)
        if isinstance(parsed, str):
            text = parsed
            continue
        return parsed if isinstance(parsed, dict | list) else None
    return None


def _repaired(text: str) -> object:
    """JSON with half surrogate pairs in it, which a strict decoder refuses."""
    if "\\ud" not in text and "\\uD" not in text:
        return None
    try:
        repaired = without_half_pairs(text.encode("utf-8", "replace"))
        parsed: object = msgspec.json.decode(repaired)
    except (msgspec.DecodeError, RecursionError):
        return None
    return parsed


def identity(value: object) -> str | None:
    """An id as text: numeric ids become strings, stand-ins for nothing become None."""
    if isinstance(value, str):
        return None if is_absent(value) else value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if value in SENTINELS else str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None


def text_of(value: object) -> str | None:
    """A non-empty text, or None."""
    return value if isinstance(value, str) and not is_absent(value) else None


def word(value: object) -> str:
    """A value as text for comparing; "" for nothing."""
    return "" if value is None else str(value)


def first(*values: object) -> Any:
    """The first value that is not absent, or None."""
    for value in values:
        if not is_absent(value):
            return value
    return None


def number(value: object, field: str) -> float | None:
    """A finite number, from a JSON number, a numeric text or a {low, high} pair.

    Raises:
        MalformedRecord: something else stands there.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        raise MalformedRecord(field, "a number", repr(value))
    if isinstance(value, int | float):
        return _finite(value, field)
    if isinstance(value, str):
        if is_absent(value):
            return None
        if len(value) > 64:
            raise MalformedRecord(field, "a number", f"text of {len(value)} characters")
        try:
            return int(value)
        except ValueError:
            pass
        try:
            return _finite(float(value), field)
        except ValueError:
            raise MalformedRecord(field, "a number", f"text of {len(value)} characters") from None
    if isinstance(value, dict) and "low" in value and "high" in value:
        return long_pair(value, field)
    if not value:
        return None
    raise MalformedRecord(field, "a number", type(value).__name__)


def _finite(value: float, field: str) -> float | None:
    if isinstance(value, int):
        if abs(value) > 2**64:
            raise MalformedRecord(field, "a number below 2**64", "a larger one")
        return value
    return value if math.isfinite(value) else None


def long_pair(value: dict[str, Any], field: str) -> int:
    """A 64-bit number dumped by protobufjs: {low, high, unsigned}, `low` perhaps negative."""
    low, high = value.get("low"), value.get("high")
    if not isinstance(low, int) or not isinstance(high, int):
        raise MalformedRecord(field, "a {low, high} pair of integers", type(low).__name__)
    return (high << 32) + (low & 0xFFFFFFFF)


def count(value: object, field: str) -> int | None:
    """A count (tokens, choices): 0 or more; sentinels are absent.

    Raises:
        MalformedRecord: not a number, negative, or past 2**53.
    """
    if value is None:
        return None
    if type(value) is int and 0 <= value <= LARGEST:
        return value
    parsed = number(value, field)
    if parsed is None or parsed in SENTINELS:
        return None
    if parsed < 0 or parsed > LARGEST:
        raise MalformedRecord(field, "a count between 0 and 2**53", repr(parsed))
    return int(parsed)


def amount(value: object, field: str) -> float | None:
    """A measure that cannot be negative (cost, duration); a negative one is absent.

    Gateways write negative durations when their clocks disagree: unknown, not an error.
    """
    parsed = number(value, field)
    return None if parsed is None or parsed < 0 else float(parsed)


def flag(value: object) -> bool | None:
    """A truth value, from JSON, from text ("true", "False") or from 0 and 1."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    return None
