"""Requests made from what is already there: re-timed logs, and accounts built from plain cases."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from streams.record import ApiRequest, Message
from streams.traffic.answers import Filler, count_tokens, draw_tokens
from streams.traffic.bank import Program
from streams.traffic.identity import draw_identity
from streams.traffic.personas import DEFAULT_FILLER_SEED, compose_account
from streams.traffic.timing import DAY_S, Pace, conversation_starts


@dataclass(frozen=True, slots=True)
class Case:
    """One request to be made: a system prompt (or none) and the message list."""

    messages: tuple[Message, ...]
    system: str | None = None


def case_from(row: Mapping[str, object]) -> Case:
    """A `Case` from a plain mapping with `messages` (role, content) and maybe `system`.

    Raises ValueError when there is no list of messages with role and text.
    """
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError("a case needs a list of messages")
    made = [_message(entry) for entry in messages]
    system = row.get("system")
    return Case(tuple(made), system if isinstance(system, str) and system else None)


def _message(entry: object) -> Message:
    match entry:
        case {"role": str(role), "content": str(text)} | {"role": str(role), "text": str(text)}:
            return Message(role, text)
        case _:
            raise ValueError(f"not a message with role and text: {str(entry)[:80]}")


def stretch(requests: Sequence[ApiRequest], factor: float) -> list[ApiRequest]:
    """Copies whose distances from the first event time are multiplied by `factor`.

    Captured logs run 5 to 30 times too fast; latencies stay as they are. Requests without a time
    keep none. Raises ValueError when `factor` is not positive.
    """
    if not factor > 0:
        raise ValueError(f"a stretch factor must be positive, got {factor}")
    times = [request.event_time_s for request in requests if request.event_time_s is not None]
    origin = min(times, default=0.0)
    out = []
    for request in requests:
        copy = msgspec.structs.replace(request)
        if request.event_time_s is not None:
            copy.event_time_s = origin + (request.event_time_s - origin) * factor
        out.append(copy)
    return out


def requests_from_messages(
    cases: Sequence[Case],
    *,
    account: str,
    start_s: float,
    seed: int | Sequence[int],
    repeat_to: int = 12,
    mix_into: int = 0,
    chat: Program | None = None,
    pace: Pace = "human",
    span_s: float = DAY_S,
) -> list[ApiRequest]:
    """An account that sends `cases` in turn until there are `repeat_to` requests, sorted by time.

    With `mix_into` they are mixed into that many requests of ordinary chat by the program `chat`;
    each case is then sent once where `repeat_to` is the number of cases. Raises ValueError when
    there is no case, or no chat to mix into.
    """
    if not cases:
        raise ValueError("no case to send")
    if mix_into and chat is None:
        raise ValueError("mixing needs a chat program")
    rng = np.random.default_rng(seed)
    who = draw_identity(rng, now_s=start_s, account=account)
    filler = Filler(DEFAULT_FILLER_SEED)
    count = max(repeat_to, len(cases))
    lengths = [draw_tokens(rng, "medium", 1.0) for _ in range(count)]
    durations = np.array([tokens / who.tokens_per_s for tokens in lengths])
    starts = conversation_starts(
        pace, rng, durations, start_s=start_s, span_s=span_s, time_zone_h=who.time_zone_h
    )
    agent, sdk = who.clients[0]
    out: list[ApiRequest] = []
    for number in range(count):
        case = cases[number % len(cases)]
        messages = list(case.messages)
        prompt_tokens = count_tokens(case.system or "")
        prompt_tokens += sum(count_tokens(message.text) + 4 for message in messages)
        text = filler.prose(rng, "en", lengths[number])
        name = f"{account}/case/{number}/{start_s}".encode()
        out.append(
            ApiRequest(
                event_id="req_" + hashlib.blake2b(name, digest_size=10).hexdigest(),
                event_time_s=round(float(starts[number]), 3),
                account=account,
                organisation=who.organisation,
                key=who.keys[0],
                account_created_s=round(who.created_s, 0),
                provider=who.provider,
                model=who.models[0],
                system=case.system,
                messages=messages,
                n_messages=len(messages),
                status=200,
                finish_reason="stop",
                input_tokens=prompt_tokens,
                cached_tokens=0,
                cached_in_input=True,
                output_tokens=lengths[number],
                output_text=text,
                output_chars=len(text),
                latency_ms=round(float(durations[number]) * 1000 + 400, 1),
                client_ip=who.networks[0].removesuffix("0/24") + "17",
                network=who.networks[0],
                user_agent=agent,
                sdk=sdk,
            )
        )
    if chat is not None and mix_into:
        out += compose_account(
            chat,
            requests=mix_into,
            start_s=start_s,
            span_s=span_s,
            seed=int(rng.integers(2**62)),
            identity=who,
            filler=filler,
        )
    out.sort(key=lambda request: request.event_time_s or 0.0)
    return out
