"""From the fields of request, response and envelope to one `ApiRequest`."""

from __future__ import annotations

from streams.formats.values import Fields
from streams.record import ApiRequest

_FROM_RESPONSE = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cached_in_input",
    "reasoning_tokens",
    "finish_reason_raw",
    "finish_reason",
    "refusal_category",
    "output_text",
    "output_chars",
    "error_code",
)
_NOT_FIELDS = ("response_id", "asked_model")


def join_response(fields: Fields, response: Fields) -> None:
    """Adds what an answer gives; the request's model stays, the served one is set beside it."""
    for name in _FROM_RESPONSE:
        if name in response:
            fields.setdefault(name, response[name])
    if response.get("truncated"):
        fields["truncated"] = True
    if response.get("stream") and fields.get("stream") is None:
        fields["stream"] = True
    asked = response.get("asked_model")
    if asked:
        fields.setdefault("model", asked)
    put_models(fields, fields.get("model"), response.get("model"))


def put_models(fields: Fields, asked: str | None, served: str | None) -> None:
    """Adds the model asked and, when another one answered, the model served.

    A snapshot ("gpt-4o" answered by "gpt-4o-2024-08-06") and a provider prefix are no difference.
    """
    if asked is None:
        if served is not None:
            fields["model"] = served
        return
    fields["model"] = asked
    if served is None:
        return
    one, other = asked.rsplit("/", 1)[-1].lower(), served.rsplit("/", 1)[-1].lower()
    if not one.startswith(other) and not other.startswith(one):
        fields["model_served"] = served


def build(fields: Fields) -> ApiRequest:
    """The record; working fields that are no part of it are dropped.

    A response's id is no event id: gateways answer from a cache with the old one.
    """
    for name in _NOT_FIELDS:
        fields.pop(name, None)
    return ApiRequest(**fields)
