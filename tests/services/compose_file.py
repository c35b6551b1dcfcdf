"""Reads the YAML that deploy/compose.yaml is written in, and refuses all other YAML.

Block mappings and sequences by two spaces, flow sequences of quoted strings, quoted and plain
scalars. No anchors, tags, block scalars or documents: what is left means the same to every reader.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_KEY = re.compile(r"([A-Za-z_][\w.-]*):(?: (.+))?")
_PLAIN = re.compile(r"[A-Za-z0-9./$][^#\[\]&*!|>'\"%`]*")
_NOT_TEXT = re.compile(
    r"(?i)true|false|yes|no|on|off|null|~|[-+]?\.?\d[\d_.:]*(e[-+]?\d+)?|0x[\da-f]+"
)

Line = tuple[int, str]


def read_compose(file: Path) -> dict[str, Any]:
    """The file as mappings, lists and values. Raises ValueError with the line that is not read."""
    lines: list[Line] = []
    for line in file.read_text("utf-8").splitlines():
        text = line.strip()
        if text and not text.startswith("#"):
            lines.append((len(line) - len(line.lstrip(" ")), text))
    found, rest = _block(lines, 0)
    if rest:
        raise ValueError(f"not read: {rest[0][1]!r}")
    if not isinstance(found, dict):
        raise ValueError("no mapping")
    return found


def _block(lines: list[Line], indent: int) -> tuple[Any, list[Line]]:
    if lines[0][0] != indent:
        raise ValueError(f"indented by {lines[0][0]}, not {indent}: {lines[0][1]!r}")
    if lines[0][1].startswith("- "):
        items = []
        while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
            text = lines[0][1][2:]
            if _KEY.fullmatch(text):  # a mapping that begins beside the dash
                item, lines = _mapping([(indent + 2, text), *lines[1:]], indent + 2)
            else:
                item, lines = _scalar(text), lines[1:]
            items.append(item)
        return items, lines
    return _mapping(lines, indent)


def _mapping(lines: list[Line], indent: int) -> tuple[dict[str, Any], list[Line]]:
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent:
        match = _KEY.fullmatch(lines[0][1])
        if match is None or match[1] in found:
            raise ValueError(f"no key, or one that stands there twice: {lines[0][1]!r}")
        lines = lines[1:]
        if match[2] is not None:
            found[match[1]] = _scalar(match[2])
        else:
            found[match[1]], lines = _block(lines, indent + 2)
    return found, lines


def _scalar(text: str) -> Any:
    if text[0] in '["' or text == "{}":
        return json.loads(text)  # flow YAML of quoted strings is JSON
    if text in ("true", "false"):
        return text == "true"
    if text.isdecimal():
        return int(text)
    if _NOT_TEXT.fullmatch(text) or not _PLAIN.fullmatch(text) or ": " in text:
        raise ValueError(f"quote it: {text!r}")
    return text
