"""The one normalised record: a request to a language model and what is known of its answer.

Absent is not zero: a field that the log does not have is None and is left out of the JSON.
The native log format is this struct as JSON, one object a line.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

EARLIEST_S, LATEST_S = 946_684_800.0, 7_258_118_400.0
"""Event times lie between the years 2000 and 2200: no language model API is older."""

MAX_COUNT = 2**53
MAX_NAME_CHARS = 512

Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
EventTime = Annotated[float, msgspec.Meta(ge=EARLIEST_S, le=LATEST_S)]
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS)]
"""An identity or code; the typed decoder refuses longer ones in native records."""

MAX_TEXT_BYTES = 256 * 1024
"""Text of one message (or system prompt, tools, output) past this many bytes is cut."""


class Message(msgspec.Struct, omit_defaults=True, gc=False):
    """One entry of the request's message list.

    `role` is lower case: system, developer, user, assistant, tool (a tool's result), or whatever
    else the log says. `text` is all text of the entry joined by newlines; images and audio are
    left out, data URLs too.
    """

    role: str
    text: str = ""


class ApiRequest(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One request (and its answer, as far as the log tells). Units are in the names."""

    # identity
    tenant: Name = "default"
    source: str = "native"
    """Name of the log format the record was read from, with its dialect: "litellm/spend_logs"."""
    event_id: Name = ""
    """Id given by the log, else derived from content; never from an offset."""
    event_time_s: EventTime | None = None
    """Start of the request, UTC epoch seconds; the log's record time stands in when absent."""
    account: Name | None = None
    organisation: Name | None = None
    key: Name | None = None
    """Hash or name of the API key, as logged; a raw secret is hashed at intake."""
    end_user: Name | None = None
    """HMAC (hex) of the end user's id, made at intake."""
    account_created_s: float | None = None
    plan_limit: float | None = None

    # what was asked
    provider: Name | None = None
    model: Name | None = None
    model_served: Name | None = None
    """The model that answered, when it differs from the one asked (fallback)."""
    endpoint: Name | None = None
    system: str | None = None
    """System prompt given apart from the messages; system entries of the list stay in it."""
    messages: list[Message] | None = None
    n_messages: Count | None = None
    """Number of entries of the log's own list (system entries in it included)."""
    tools: str | None = None
    """Tool definitions as canonical JSON text."""
    tool_count: Count | None = None
    response_format: str | None = None

    # parameters
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias_size: int | None = None
    max_tokens: int | None = None
    stream: bool | None = None
    seed: int | None = None
    reasoning_effort: str | None = None

    # what came back
    status: int | str | None = None
    """HTTP status where known, else "success" or "failure"."""
    finish_reason_raw: Name | None = None
    finish_reason: str | None = None
    """Normalised: stop, length, tool_calls, content_filter, refusal, error, other."""
    refusal_category: Name | None = None
    error_code: Name | None = None
    input_tokens: Count | None = None
    """Input tokens as the source counts them; see `cached_in_input` and `total_input_tokens`."""
    cached_tokens: Count | None = None
    """Input tokens read from the provider's prompt cache."""
    cached_in_input: bool | None = None
    """True where `input_tokens` contains the cached ones (OpenAI), False where not (Anthropic)."""
    output_tokens: Count | None = None
    """Output tokens, reasoning included where the provider counts it so."""
    reasoning_tokens: Count | None = None
    output_text: str | None = None
    output_chars: Count | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None

    # where from
    client_ip: Name | None = None
    """HMAC (hex) of the client address, made at intake."""
    network: str | None = None
    """The client's /24 (IPv4) or /48 (IPv6), or the AS number where the log has one."""
    user_agent: Name | None = None
    sdk: str | None = None
    """SDK headers in short: "python/3.3.0"."""

    # how it was read
    truncated: bool = False
    """Some text was cut, by the log or at intake."""
    account_path: str | None = None
    """Where in the raw record the account was found."""


def total_input_tokens(request: ApiRequest) -> int | None:
    """Input tokens with cached ones counted once, whatever the provider's accounting."""
    if request.input_tokens is None:
        return None
    if request.cached_in_input is False and request.cached_tokens:
        return request.input_tokens + request.cached_tokens
    return request.input_tokens
