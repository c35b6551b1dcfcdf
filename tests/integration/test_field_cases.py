"""Requests of real customers that filters have wrongly stopped: none is throttled, few watched."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from streams.traffic.bank import load_bank
from streams.traffic.day import ordinary_chat
from streams.traffic.replay import Case, case_from, requests_from_messages
from tests.detector.runs import THROTTLE, WATCH, run

CASES = Path(os.environ.get("STILLWATCH_DATA", "../shared")) / "data/cases/field_cases.jsonl"
START_S = 1_780_000_000.0
MOST_WATCHED = 0.1

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not CASES.exists(), reason=f"no data folder at {CASES}"),
]


def benign_cases() -> dict[str, list[Case]]:
    """The benign cases by name, each a list of requests."""
    out: dict[str, list[Case]] = defaultdict(list)
    for line in CASES.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["kind"] == "benign":
            out[row["case"]].append(case_from(row))
    return out


@pytest.mark.parametrize("mix_into", [0, 100])
def test_benign_cases_are_left_alone(mix_into: int) -> None:
    """Each benign case, repeated to 12 requests alone and mixed into 100 of ordinary chat: none
    reaches throttle, and at most a tenth reaches watch."""
    chats = ordinary_chat(load_bank())
    worst: dict[str, int] = {}
    for number, (name, cases) in enumerate(benign_cases().items()):
        requests = requests_from_messages(
            cases,
            account=name,
            start_s=START_S,
            seed=[1, number],
            repeat_to=12,
            mix_into=mix_into,
            chat=chats[number % len(chats)] if mix_into else None,
        )
        worst[name] = run(requests).worst().get(name, 0)
    assert len(worst) >= 20
    assert [name for name, rank in worst.items() if rank >= THROTTLE] == []
    watched = [name for name, rank in worst.items() if rank >= WATCH]
    assert len(watched) <= MOST_WATCHED * len(worst), watched
