"""Colours of the verdicts on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detector.levels import Level

LEVEL_STYLES: Final[Mapping[Level, str]] = {
    "allow": "dim",
    "watch": "cyan",
    "throttle": "yellow",
    "restrict": "magenta",
    "block": "bold red",
}
