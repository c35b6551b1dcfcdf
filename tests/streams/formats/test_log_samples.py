"""The log samples of the data folder, read against their `expect` (skipped without the folder)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.errors import MalformedRecord
from streams.intake import Intake
from tests.streams.formats.expectations import checks_of

SAMPLES = Path(os.environ.get("STILLWATCH_DATA", "../shared")) / "data/logs/log_samples.jsonl"
MAIN = {"litellm", "otel", "bedrock", "openai", "anthropic"}

needs_data = pytest.mark.skipif(not SAMPLES.exists(), reason="no data folder")


def samples() -> Iterator[dict[str, Any]]:
    """The samples, one a line."""
    with SAMPLES.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def score(wanted: set[str] | None) -> tuple[int, int, list[str]]:
    """Checks that hold, all checks, and the misses by id and field."""
    good = total = 0
    misses: list[str] = []
    for sample in samples():
        if wanted is not None and sample["format"] not in wanted:
            continue
        raw = sample["raw"]
        value = raw.encode() if isinstance(raw, str) else json.dumps(raw).encode()
        try:
            requests = Intake().read(value, record_time_s=None)
        except MalformedRecord as error:
            requests = []
            misses.append(f"{sample['id']} {sample['format']}: {error}")
        for name, holds, want, got in checks_of(sample["expect"], requests):
            total += 1
            good += holds
            if not holds:
                misses.append(
                    f"{sample['id']} {sample['format']} {name}: wanted {want!r}, read {got!r}"
                )
    return good, total, misses


@needs_data
def test_main_formats_hold_95_percent_of_the_checks() -> None:
    """The five main formats are read as the samples say."""
    good, total, misses = score(MAIN)
    print(f"{good} of {total}", *misses, sep="\n")
    assert good / total >= 0.95, "\n".join(misses)


@needs_data
def test_other_formats_are_read_right_too() -> None:
    """The other gateways' samples are read, not only refused."""
    good, total, misses = score(None)
    print(f"{good} of {total}", *misses, sep="\n")
    assert good / total >= 0.9, "\n".join(misses)
