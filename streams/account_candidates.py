"""Where in raw records an account might be: paths of id-like names with their distinct values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from streams.formats.otel_units import WRAPPERS, units_in
from streams.formats.values import identity, json_in

_NAME = re.compile(
    r"account|user|customer|org|team|tenant|consumer|client|arn\b|email|project|group|"
    r"api_?key|key_?(id|hash|name)|token_(id|name)|virtual_key|subscription|owner|_?ip\b|address",
    re.IGNORECASE,
)
_NOT_NAME = re.compile(
    r"user[-_.]?agent|user_(input|prompt|message)|content|addresses", re.IGNORECASE
)
_SKIPPED = frozenset(
    {
        "messages",
        "content",
        "prompt",
        "choices",
        "contents",
        "body",
        "response",
        "response_body",
        "output",
        "tools",
        "text",
        "events",
        "input",
        "model_map_information",
        "inputBodyJson",
        "outputBodyJson",
    }
)
_MOST_PATHS = 200
_MOST_DISTINCT = 10_000
_DEEPEST = 6


@dataclass(slots=True)
class Candidate:
    """One path: how many records have it and how many values it takes."""

    path: str
    records: int = 0
    distinct: set[str] = field(default_factory=set)


class Candidates:
    """Collects candidates over the records of a log; paths and values are bounded."""

    def __init__(self) -> None:
        self._by_path: dict[str, Candidate] = {}

    def add(self, raw: object) -> None:
        """Notes the id-like values of one record."""
        if isinstance(raw, dict) and any(name in raw for name in WRAPPERS):
            for unit in units_in(raw):
                self._walk(unit.raw, "", 0)
        else:
            self._walk(raw, "", 0)

    def ranked(self) -> list[Candidate]:
        """Most telling first: in many records, with more than one value but not one a record."""
        return sorted(
            self._by_path.values(),
            key=lambda found: (-(len(found.distinct) > 1), -found.records, found.path),
        )

    def _walk(self, value: object, path: str, depth: int) -> None:
        if depth > _DEEPEST:
            return
        if isinstance(value, list):
            for at, entry in enumerate(value[:3]):
                if isinstance(entry, dict):
                    self._walk(entry, f"{path}[{at}]", depth + 1)
            return
        if not isinstance(value, dict):
            return
        for name, inner in value.items():
            if name in _SKIPPED or not isinstance(name, str):
                continue
            step = f"[{name}]" if "." in name else f".{name}" if path else name
            here = path + step
            if isinstance(inner, dict | list):
                self._walk(inner, here, depth + 1)
            elif isinstance(inner, str) and inner[:1] == "{" and len(inner) < 100_000:
                self._walk(json_in(inner), f"{here}(json)", depth + 1)
            elif _NAME.search(name) and not _NOT_NAME.search(name):
                self._note(here, inner)

    def _note(self, path: str, value: object) -> None:
        text = identity(value)
        if text is None or len(text) > 256:
            return
        found = self._by_path.get(path)
        if found is None:
            if len(self._by_path) >= _MOST_PATHS:
                return
            found = self._by_path[path] = Candidate(path)
        found.records += 1
        if len(found.distinct) < _MOST_DISTINCT:
            found.distinct.add(text)
