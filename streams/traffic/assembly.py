"""Records of placed exchanges: everything a log says of a request and its answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from streams.record import ApiRequest, Message
from streams.traffic.answers import count_tokens
from streams.traffic.habits import Habits
from streams.traffic.identity import ENDPOINTS, Identity
from streams.traffic.threads import Exchange, tool_definitions

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


@dataclass(slots=True)
class Placed:
    """An exchange with its time, its end user and the habits it was sent with."""

    at_s: float
    exchange: Exchange
    habits: Habits
    end_user: str | None
    client: int
    new_thread: bool


def records_of(
    placed: list[Placed],
    who: Identity,
    rng: Generator,
    *,
    host: int | None = None,
    first: int = 0,
) -> list[ApiRequest]:
    """The account's records sorted by event time: each exchange, and the failed attempts before it.

    `placed` is sorted by time. An account that is composed piece by piece gives its own `host`
    (last byte of its addresses; else drawn) and the number of the piece's `first` record.
    """
    out: list[ApiRequest] = []
    if host is None:
        host = draw_host(rng)
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
    for number, request in enumerate(out, first):
        name = f"{who.account}/{number}/{request.event_time_s}".encode()
        request.event_id = "req_" + hashlib.blake2b(name, digest_size=10).hexdigest()
    return out


def draw_host(rng: Generator) -> int:
    """Last byte of the address of an account's first host; it may have two more behind it."""
    return int(rng.random() * 200) + 10


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


def _request(entry: Placed, who: Identity, network: str, host: int, rng: Generator) -> ApiRequest:
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
        endpoint=ENDPOINTS[who.provider],
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
