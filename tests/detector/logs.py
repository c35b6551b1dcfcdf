"""A small log that the tiny model has an opinion on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from streams.record import ApiRequest, Message
from tests.detector.builders import T0_S, ask, talk
from tests.detector.tiny_models import WORD

PRIVATE = "zebra crossing at midnight"
"""Stands in prompts and answers and must never be stored."""

N_HARVEST, N_CHAT = 60, 40


def small_log() -> list[ApiRequest]:
    """A harvester of one-shot questions, a person in one long chat, and one without an account."""
    harvest = [
        ask(
            f"{WORD} {i}",
            account="harvester",
            event_id=f"h{i}",
            event_time_s=T0_S + 60.0 * i,
            model="large",
            output_text=PRIVATE,
            output_tokens=100,
            finish_reason="stop",
        )
        for i in range(N_HARVEST)
    ]
    chat = [
        talk(
            ("user", "hello"),
            ("assistant", "hello to you"),
            ("user", f"{PRIVATE} number {i}"),
            account="person",
            event_id=f"c{i}",
            event_time_s=T0_S + 60.0 * i + 30.0,
        )
        for i in range(N_CHAT)
    ]
    nobody = ApiRequest(
        event_id="n0", event_time_s=T0_S + 5.0, messages=[Message("user", PRIVATE)], status=200
    )
    return sorted([*harvest, *chat, nobody], key=lambda r: r.event_time_s or 0.0)


def write_log(path: Path, requests: Sequence[ApiRequest], *bad_lines: bytes) -> Path:
    """Native JSON lines, bad ones after the first record."""
    lines = [msgspec.json.encode(r) for r in requests]
    path.write_bytes(b"\n".join([*lines[:1], *bad_lines, *lines[1:]]) + b"\n")
    return path
