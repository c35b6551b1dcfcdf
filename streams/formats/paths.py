"""Paths into a raw record: `a.b[0].c`, `x(json).y` (JSON inside a text), `attributes[user.id]`.

A name is also matched without regard to case when nothing matches exactly (header names), and a
dotted rest is tried as one name (`attributes.user.id`).
"""

from __future__ import annotations

import re
from functools import lru_cache

from streams.formats.values import json_in

_STEP = re.compile(r"([^.\[\]()]+)|\[([^\]]*)\]|(\(json\))|\.")


@lru_cache(maxsize=1024)
def parsed_path(path: str) -> tuple[str, ...]:
    """The steps of a path; "(json)" stands for parsing a text."""
    steps: list[str] = []
    for name, bracket, as_json in _STEP.findall(path):
        if name:
            steps.append(name)
        elif as_json:
            steps.append("(json)")
        elif bracket:
            steps.append(bracket.strip("'\""))
    return tuple(steps)


def look_up(raw: object, path: str) -> object:
    """The value at the path, or None."""
    return _walk(raw, parsed_path(path), 0)


def _walk(value: object, steps: tuple[str, ...], at: int) -> object:
    while at < len(steps):
        step = steps[at]
        if step == "(json)":
            value = json_in(value) if isinstance(value, str) else value
            at += 1
            continue
        if isinstance(value, str) and at:
            value = json_in(value)
        if isinstance(value, list):
            if not step.lstrip("-").isdigit() or not -len(value) <= int(step) < len(value):
                return None
            value = value[int(step)]
            at += 1
            continue
        if not isinstance(value, dict):
            return None
        if step in value:
            value = value[step]
            at += 1
            continue
        for end in range(len(steps), at + 1, -1):
            joined = ".".join(steps[at:end])
            if joined in value:
                return _walk(value[joined], steps, end)
        wanted = step.lower()
        for name, inner in value.items():
            if isinstance(name, str) and name.lower() == wanted:
                value = inner
                break
        else:
            return None
        at += 1
    return value
