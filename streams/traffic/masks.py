"""Format profiles: what of a request a real log format would have kept.

Composed requests know everything. Real logs do not, and which fields a log has must not become the
label; so training masks both classes alike to these profiles. What each format carries follows the
formats that `streams.formats` reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec
from numpy.random import Generator

from streams.record import ApiRequest, Message

Mask = Callable[[ApiRequest], ApiRequest]
"""Returns a masked copy; the request itself stays as it is."""

OUTPUTS = ("output_text",)
OUTPUT_SIZES = ("output_tokens", "output_chars", "reasoning_tokens")
ANSWERS = (
    *OUTPUTS, *OUTPUT_SIZES, "finish_reason", "finish_reason_raw", "refusal_category",
)  # fmt: skip
PARAMETERS = (
    "temperature", "top_p", "n", "logprobs", "top_logprobs", "logit_bias_size", "max_tokens",
    "stream", "seed", "reasoning_effort", "response_format",
)  # fmt: skip
SAMPLING = ("temperature", "top_p")
ADDRESSES = ("client_ip", "network")
CLIENTS = ("user_agent", "sdk")
END_USERS = ("end_user",)
KEYS = ("key",)
TENURE = ("account_created_s", "plan_limit")
TOKENS = (
    "input_tokens", "cached_tokens", "cached_in_input", "output_tokens", "reasoning_tokens",
    "cost_usd",
)  # fmt: skip
SPEED = ("latency_ms", "ttft_ms")
TOOLS = ("tools", "tool_count")
TEXTS = ("system", "messages", "output_text", "tools")
ORGANISATION = ("organisation",)
CUT_CHARS = 1000

_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        field.name: field.default
        for field in msgspec.structs.fields(ApiRequest)
        if field.default is not msgspec.NODEFAULT
    }
)


def without(*fields: str) -> Mask:
    """A mask that makes fields absent; raises KeyError for a name that the record does not have."""
    blank = {name: _DEFAULTS[name] for name in fields}

    def mask(request: ApiRequest) -> ApiRequest:
        return msgspec.structs.replace(request, **blank)

    return mask


def cut_text(limit_chars: int) -> Mask:
    """A mask that cuts every text to `limit_chars` and marks the record, as truncating logs do."""

    def mask(request: ApiRequest) -> ApiRequest:
        messages = request.messages
        texts = [request.system or "", request.output_text or "", request.tools or ""]
        texts += [message.text for message in messages or ()]
        if all(len(text) <= limit_chars for text in texts):
            return msgspec.structs.replace(request)
        return msgspec.structs.replace(
            request,
            system=_cut(request.system, limit_chars),
            output_text=_cut(request.output_text, limit_chars),
            tools=_cut(request.tools, limit_chars),
            messages=None
            if messages is None
            else [Message(message.role, message.text[:limit_chars]) for message in messages],
            truncated=True,
        )

    return mask


def _cut(text: str | None, limit_chars: int) -> str | None:
    return None if text is None else text[:limit_chars]


def last_message_only(request: ApiRequest) -> ApiRequest:
    """Keeps system entries and the last message; `n_messages` goes, as such logs do not have it."""
    messages = request.messages
    if messages is None:
        return msgspec.structs.replace(request, n_messages=None)
    kept = [message for message in messages[:-1] if message.role in ("system", "developer")]
    return msgspec.structs.replace(request, messages=kept + messages[-1:], n_messages=None)


def every(*masks: Mask) -> Mask:
    """The masks one after another."""

    def mask(request: ApiRequest) -> ApiRequest:
        for step in masks:
            request = step(request)
        return request

    return mask


PROFILES: Mapping[str, Mask] = MappingProxyType(
    {
        "full": without(),
        # A gateway's body and response; the answers of a stand-in model count as unknown.
        "openai_capture": without(
            *ANSWERS, *SAMPLING, *END_USERS, *KEYS, *TENURE, *ORGANISATION, "cached_tokens",
            "cached_in_input", "cost_usd", "ttft_ms", "n_messages",
        ),
        "anthropic_capture": without(
            *ANSWERS, *SAMPLING, *END_USERS, *KEYS, *TENURE, *ORGANISATION, "cached_tokens",
            "cached_in_input", "cost_usd", "ttft_ms",
        ),
        "body_and_response": without(
            *END_USERS, *KEYS, *TENURE, *ORGANISATION, "cost_usd", "ttft_ms", "output_chars",
        ),
        "litellm": without(*TENURE, "network", "sdk", "n_messages"),
        "litellm_no_text": without(*TEXTS, *TENURE, *CLIENTS, "network", "n_messages"),
        "bedrock": without(
            *ADDRESSES, *CLIENTS, *END_USERS, *TENURE, *ORGANISATION, "ttft_ms", "cost_usd",
            "response_format",
        ),
        "otel": without(
            *ADDRESSES, *CLIENTS, *END_USERS, *TENURE, *ORGANISATION, *KEYS, "cost_usd",
        ),
        # The default of OpenTelemetry instrumentation: no message content.
        "otel_plain": without(
            *TEXTS, *ADDRESSES, *CLIENTS, *END_USERS, *TENURE, *ORGANISATION, *KEYS, "cost_usd",
            "tool_count", "n_messages",
        ),
        "gateway_without_text": without(*TEXTS, *TENURE, "output_chars"),
        "no_outputs": without(*ANSWERS),
        "no_parameters": without(*PARAMETERS),
        "no_addresses": without(*ADDRESSES, *CLIENTS),
        "no_end_users": without(*END_USERS),
        "no_tokens": without(*TOKENS, *SPEED),
        "text_cut": cut_text(CUT_CHARS),
        "last_message": every(last_message_only, without(*TENURE)),
        "bare": every(
            without(
                *ANSWERS, *PARAMETERS, *ADDRESSES, *CLIENTS, *END_USERS, *KEYS, *TENURE,
                *ORGANISATION, *TOKENS, *SPEED, *TOOLS,
            )
        ),
    }
)  # fmt: skip
"""Profile name -> mask. "full" keeps everything."""

NO_TEXT_PROFILES = frozenset({"litellm_no_text", "otel_plain", "gateway_without_text"})
"""Profiles whose logs hold no prompt at all."""


def apply_profile(name: str, requests: Sequence[ApiRequest]) -> list[ApiRequest]:
    """Masked copies of the requests; raises KeyError for an unknown profile."""
    mask = PROFILES[name]
    return [mask(request) for request in requests]


def draw_profile(rng: Generator, *, full_share: float = 0.4, with_text: bool = True) -> str:
    """A profile name: "full" with `full_share`, else uniform; `with_text` leaves out those
    without prompts. It must not be drawn by label."""
    if rng.random() < full_share:
        return "full"
    names = [
        name for name in PROFILES if name != "full" and not (with_text and name in NO_TEXT_PROFILES)
    ]
    return names[int(rng.random() * len(names))]
