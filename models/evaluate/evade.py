"""What an attacker does to be missed: transforms of a program before it runs, and of its requests.

None of them touches what is taken; each changes how it looks. Paced ones are a matter of timing
and stand in `compose`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.random import Generator

from models.evaluate.plan import Evasion
from streams.record import ApiRequest, Message
from streams.traffic.bank import Program
from streams.traffic.frames import SENTENCE, reworded
from streams.traffic.sources import source

VARIANTS = 8
_PARAMETERS: Mapping[str, tuple[float | int | None, ...]] = MappingProxyType(
    {
        "temperature": (None, 0.0, 0.3, 0.7, 1.0),
        "top_p": (None, 0.9, 1.0),
        "max_tokens": (256, 512, 1024, 2048, 4096),
    }
)


def evading_program(program: Program, evasion: Evasion, seed: int) -> Program:
    """The program as it is sent under an evasion; the same one where that changes requests only."""
    rng = np.random.default_rng([seed, 31])
    if evasion == "paraphrased":
        wordings = [w for w in program.wordings or program.turns[:1] for _ in range(VARIANTS)]
        made = tuple(dict.fromkeys(reworded(w, program.lang, rng) for w in wordings))
        if program.wordings:
            return msgspec.structs.replace(program, user=made)
        return program
    if evasion == "split_system" and program.system:
        parts = [s for s in SENTENCE.split(program.system) if s.strip()]
        if program.wordings:
            user = tuple(
                _with_parts(w, parts, rng) for w in program.wordings for _ in range(VARIANTS)
            )
            return msgspec.structs.replace(program, system=None, user=tuple(dict.fromkeys(user)))
        first = _with_parts(program.turns[0], parts, rng)
        return msgspec.structs.replace(program, system=None, turns=(first, *program.turns[1:]))
    return program


def _with_parts(frame: str, parts: Sequence[str], rng: Generator) -> str:
    """A user message that carries the system prompt's sentences, before and behind."""
    before = [p for p in parts if rng.random() < 0.5]
    behind = [p for p in parts if p not in before]
    return "\n".join([*before, frame, *behind])


def rotated(requests: Sequence[ApiRequest], rng: Generator) -> list[ApiRequest]:
    """Parameters drawn anew for every request."""
    out = []
    for request in requests:
        drawn = {name: v[int(rng.integers(len(v)))] for name, v in _PARAMETERS.items()}
        out.append(
            msgspec.structs.replace(
                request, **drawn, stream=bool(rng.random() < 0.5), logprobs=None, top_logprobs=None
            )
        )
    return out


def padded(requests: Sequence[ApiRequest], rng: Generator, lang: str) -> list[ApiRequest]:
    """A foreign passage before or behind every last user message."""
    out = []
    for request in requests:
        messages = list(request.messages or ())
        padding = source("passage", rng, lang, 0)
        if messages and messages[-1].role == "user":
            text = messages[-1].text
            pair = (padding, text) if rng.random() < 0.5 else (text, padding)
            messages[-1] = Message("user", "\n\n".join(pair))
        out.append(msgspec.structs.replace(request, messages=messages))
    return out


def backing_off(requests: Sequence[ApiRequest], rng: Generator) -> list[ApiRequest]:
    """Runs into the rate limit now and then, waits as told and goes on more slowly."""
    out: list[ApiRequest] = []
    delay_s = 0.0
    for request in requests:
        at = (request.event_time_s or 0.0) + delay_s
        if rng.random() < 0.08:
            wait_s = float(rng.uniform(20, 90))
            out.append(
                msgspec.structs.replace(
                    request, event_id=f"{request.event_id}r", event_time_s=at, status=429,
                    error_code="rate_limit_exceeded", finish_reason="error",
                    finish_reason_raw=None, output_text=None, output_tokens=None,
                    output_chars=None, input_tokens=None, cached_tokens=None, cost_usd=None,
                )
            )  # fmt: skip
            delay_s += wait_s
            at += wait_s
        out.append(msgspec.structs.replace(request, event_time_s=at))
    return out


Requests = list[ApiRequest]
Rewrite = Callable[[Sequence[ApiRequest], Generator, str], Requests]

REWRITES: Mapping[Evasion, Rewrite] = MappingProxyType(
    {
        "rotated": lambda requests, rng, lang: rotated(requests, rng),
        "padded": padded,
        "backoff": lambda requests, rng, lang: backing_off(requests, rng),
    }
)
"""Evasions that change finished requests."""
