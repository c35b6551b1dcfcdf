"""Accounts: one customer running one program (or, for a reseller, many) for some time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from streams.record import ApiRequest, Message
from streams.traffic.answers import Filler, count_tokens
from streams.traffic.bank import Program
from streams.traffic.corpus import Corpus
from streams.traffic.habits import Habits, draw_habits
from streams.traffic.identity import Identity, draw_identity
from streams.traffic.threads import Composer, Exchange, tool_definitions
from streams.traffic.timing import DAY_S, Pace, conversation_starts

RAW_FINISH = {
    "openai": {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "refusal": "stop"},
    "anthropic": {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "refusal": "refusal",
    },
}
FAILURES: tuple[tuple[int, str], ...] = (
    (429, "rate_limit_exceeded"),
    (429, "rate_limit_exceeded"),
    (500, "server_error"),
    (503, "overloaded"),
)
PRICE_USD = (2.5e-6, 1e-5)
"""An input and an output token, about what a mid-size model costs."""

WIDE_KINDS = frozenset({"reseller", "judge", "evaluate", "testgen"})
DEFAULT_FILLER_SEED = 20_260_301


@dataclass(frozen=True, slots=True)
class Items:
    """Which items of a numbered list an account runs: from `first`, `count` of them, then again."""

    seed: int
    first: int = 0
    count: int | None = None
    """None: as many as the account's habits say."""
    domains: tuple[int, ...] | None = None
    """Topic domains of the list; None: as the account's habits say."""


@dataclass(frozen=True, slots=True)
class SideChat:
    """Ordinary chat that an account mixes in: `share` of its requests."""

    program: Program
    share: float
    pace: Pace | None = "human"


def compose_account(
    program: Program,
    *,
    requests: int,
    start_s: float,
    seed: int | Sequence[int],
    account: str | None = None,
    span_s: float = DAY_S,
    identity: Identity | None = None,
    items: Items | None = None,
    pace: Pace | None = None,
    params: dict[str, Any] | None = None,
    side: SideChat | None = None,
    others: Sequence[Program] = (),
    filler: Filler | None = None,
    corpus: Corpus | None = None,
) -> list[ApiRequest]:
    """The requests of one account, sorted by event time; exactly `requests` of them answered.

    Failed attempts (429, 5xx) that were retried come on top. `others` are the programs that a
    reseller's end users run. `params` and `pace` replace what the habits would draw. The same
    arguments give the same requests. Raises ValueError when `requests` is below 1.
    """
    if requests < 1:
        raise ValueError(f"an account needs at least one request, got {requests}")
    rng = np.random.default_rng(seed)
    who = identity or draw_identity(
        rng,
        now_s=start_s,
        account=account,
        wide=program.kind in WIDE_KINDS and rng.random() < 0.4,
        new=rng.random() < (0.45 if program.label == "extraction" else 0.25),
    )
    filler = filler or Filler(DEFAULT_FILLER_SEED)
    side_requests = min(round(requests * side.share), requests - 1) if side is not None else 0
    exchanges: list[_Placed] = []
    if program.kind == "reseller" and others:
        exchanges += _reseller(program, who, rng, requests, start_s, span_s, others, filler, corpus)
    else:
        exchanges += _run(
            program, who, rng, requests - side_requests, start_s, span_s, filler, corpus,
            items=items, pace=pace, params=params,
        )  # fmt: skip
    if side is not None and side_requests:
        exchanges += _run(
            side.program, who, rng, side_requests, start_s, span_s, filler, corpus, pace=side.pace
        )
    exchanges.sort(key=lambda placed: placed.at_s)
    return _records(exchanges, who, rng)


@dataclass(slots=True)
class _Placed:
    """An exchange with its time, its end user and the habits it was sent with."""

    at_s: float
    exchange: Exchange
    habits: Habits
    end_user: str | None
    client: int
    new_thread: bool


def _run(
    program: Program,
    who: Identity,
    rng: Generator,
    requests: int,
    start_s: float,
    span_s: float,
    filler: Filler,
    corpus: Corpus | None,
    *,
    items: Items | None = None,
    pace: Pace | None = None,
    params: dict[str, Any] | None = None,
    end_user: str | None = None,
) -> list[_Placed]:
    habits = draw_habits(program, rng, requests, who.provider)
    if params:
        habits.params.update(params)
    if items is not None and items.domains is not None:
        habits = replace(habits, domains=items.domains)
    items = items or Items(int(rng.integers(2**62)), int(rng.integers(0, 5000)))
    composer = Composer(
        program, habits, rng, items.seed, filler, who.tokens_per_s, corpus
    )
    item_count = items.count or habits.item_count
    threads: list[list[Exchange]] = []
    left, number = requests, 0
    while left > 0:
        item = items.first + (number // habits.resample) % item_count
        thread = composer.thread(item, left)
        threads.append(thread)
        left -= len(thread)
        number += 1
    durations = np.array([sum(e.pause_s + e.latency_s for e in thread) for thread in threads])
    starts = conversation_starts(
        pace or habits.pace,
        rng,
        durations,
        start_s=start_s,
        span_s=span_s,
        time_zone_h=who.time_zone_h,
    )
    users = _end_users(habits, rng) if end_user is None else [end_user]
    placed: list[_Placed] = []
    for thread, start in zip(threads, starts.tolist(), strict=True):
        user = users[int(len(users) * rng.random() ** 2)] if users else None
        client = int(rng.random() * len(who.clients))
        at = start
        for step, exchange in enumerate(thread):
            at += exchange.pause_s
            placed.append(_Placed(at, exchange, habits, user, client, step == 0))
            at += exchange.latency_s
    return placed


def _end_users(habits: Habits, rng: Generator) -> list[str]:
    return [f"u{rng.bytes(5).hex()}" for _ in range(habits.end_users)]


def _reseller(
    program: Program,
    who: Identity,
    rng: Generator,
    requests: int,
    start_s: float,
    span_s: float,
    others: Sequence[Program],
    filler: Filler,
    corpus: Corpus | None,
) -> list[_Placed]:
    """Many end users behind one account, each running something of their own."""
    placed: list[_Placed] = []
    left = requests
    while left > 0:
        size = min(left, 1 + int(rng.pareto(1.1) * 3))
        own = program if rng.random() < 0.2 else others[int(rng.random() * len(others))]
        user = f"u{rng.bytes(5).hex()}"
        placed += _run(own, who, rng, size, start_s, span_s, filler, corpus, end_user=user)
        left -= size
    return placed


def _records(placed: list[_Placed], who: Identity, rng: Generator) -> list[ApiRequest]:
    out: list[ApiRequest] = []
    host = int(rng.random() * 200) + 10
    network = who.networks[0]
    for entry in placed:
        if entry.new_thread and len(who.networks) > 1:
            network = who.networks[int(rng.random() * len(who.networks))]
        request = _request(entry, who, network, host + int(rng.random() * 3), rng)
        at = entry.at_s
        if rng.random() < entry.habits.error_share:
            at = _failed_attempts(out, request, at, rng)
        request.event_time_s = round(at, 3)
        out.append(request)
    out.sort(key=lambda request: request.event_time_s or 0.0)
    for number, request in enumerate(out):
        name = f"{who.account}/{number}/{request.event_time_s}".encode()
        request.event_id = "req_" + hashlib.blake2b(name, digest_size=10).hexdigest()
    return out


def _failed_attempts(
    out: list[ApiRequest], request: ApiRequest, at: float, rng: Generator
) -> float:
    """Appends one to three failed attempts of `request`; returns the time of the good one."""
    wait_s = float(rng.lognormal(0, 0.4))
    for _ in range(1 + int(rng.geometric(0.6)) % 3):
        status, code = FAILURES[int(rng.random() * len(FAILURES))]
        failed = ApiRequest(
            **{
                name: getattr(request, name)
                for name in ApiRequest.__struct_fields__
                if name not in _ANSWER_FIELDS
            }
        )
        failed.event_time_s = round(at, 3)
        failed.status, failed.error_code = status, code
        failed.finish_reason = "error"
        failed.latency_ms = round(float(rng.lognormal(np.log(120), 0.6)), 1)
        out.append(failed)
        at += wait_s
        wait_s *= 2
    return at


_ANSWER_FIELDS = frozenset(
    {
        "status", "finish_reason_raw", "finish_reason", "refusal_category", "error_code",
        "input_tokens", "cached_tokens", "cached_in_input", "output_tokens", "reasoning_tokens",
        "output_text", "output_chars", "latency_ms", "ttft_ms", "cost_usd", "model_served",
    }
)  # fmt: skip


def _request(
    entry: _Placed, who: Identity, network: str, host: int, rng: Generator
) -> ApiRequest:
    exchange, params = entry.exchange, entry.habits.params
    program = exchange.program
    messages, system = exchange.messages, exchange.system
    if system is not None and entry.habits.system_in_list:
        messages, system = [Message("system", system), *messages], None
    agent, sdk = who.clients[entry.client]
    model = who.models[entry.client % len(who.models)]
    prompt_tokens = 4 * len(messages) + count_tokens(system or "")
    prompt_tokens += sum(count_tokens(message.text) for message in messages)
    tools = tool_definitions(program.tools, program.lang) if program.tools else None
    prompt_tokens += count_tokens(tools or "")
    cached = prompt_tokens // 128 * 128 if prompt_tokens > 1024 and not entry.new_thread else 0
    anthropic = who.provider == "anthropic"
    n = _whole(params.get("n"))
    output_tokens = exchange.output_tokens * (n or 1)
    logit_bias = params.get("logit_bias")
    stream = params.get("stream")
    return ApiRequest(
        account=who.account,
        organisation=who.organisation,
        key=who.keys[int(rng.random() ** 2 * len(who.keys))],
        end_user=entry.end_user,
        account_created_s=round(who.created_s, 0),
        plan_limit=who.plan_limit,
        provider=who.provider,
        model=model,
        endpoint="/v1/messages" if anthropic else "/v1/chat/completions",
        system=system,
        messages=messages,
        n_messages=len(messages),
        tools=tools,
        tool_count=len(program.tools) or None,
        response_format=_response_format(params.get("response_format")),
        temperature=_real(params.get("temperature")),
        top_p=_real(params.get("top_p")),
        n=n,
        logprobs=bool(params["logprobs"]) if "logprobs" in params else None,
        top_logprobs=_whole(params.get("top_logprobs")),
        logit_bias_size=len(logit_bias) if isinstance(logit_bias, dict) else _whole(logit_bias),
        max_tokens=_whole(params.get("max_tokens")) or (4096 if anthropic else None),
        stream=bool(stream) if stream is not None else None,
        seed=_whole(params.get("seed")),
        reasoning_effort=_text(params.get("reasoning_effort")),
        status=200,
        finish_reason_raw=RAW_FINISH[who.provider][exchange.finish],
        finish_reason=exchange.finish,
        refusal_category="policy" if exchange.finish == "refusal" and anthropic else None,
        input_tokens=prompt_tokens - cached if anthropic else prompt_tokens,
        cached_tokens=cached,
        cached_in_input=not anthropic,
        output_tokens=output_tokens,
        output_text=exchange.output,
        output_chars=len(exchange.output),
        latency_ms=round(exchange.latency_s * 1000, 1),
        ttft_ms=round(exchange.ttft_s * 1000, 1) if stream else None,
        cost_usd=round(prompt_tokens * PRICE_USD[0] + output_tokens * PRICE_USD[1], 6),
        client_ip=network.removesuffix("0/24") + str(host),
        network=network,
        user_agent=agent,
        sdk=sdk,
    )


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _response_format(value: object) -> str | None:
    if isinstance(value, dict):
        kind = value.get("type")
        return kind if isinstance(kind, str) else "json_schema"
    return _text(value)
