"""Token usage objects of all providers, read to the four counts and the accounting of cached ones.

OpenAI and Gemini count cached tokens inside the input count, Anthropic and Bedrock beside it.
"""

from __future__ import annotations

from typing import Any

from streams.formats.values import Fields, count, mapping

INPUT = (
    "prompt_tokens",
    "input_tokens",
    "inputTokens",
    "promptTokens",
    "promptTokenCount",
    "inputTokenCount",
    "prompt_eval_count",
    "prompt_token_count",
    "inputTextTokenCount",
    "input_token_count",
    "tokens_in",
    "input",
    "prompt_token",
    "input_token",
)
OUTPUT = (
    "completion_tokens",
    "output_tokens",
    "outputTokens",
    "completionTokens",
    "candidatesTokenCount",
    "outputTokenCount",
    "eval_count",
    "generation_token_count",
    "candidates_token_count",
    "output_token_count",
    "generated_tokens",
    "tokens_out",
    "output",
    "completion_token",
    "output_token",
)
CACHED_INSIDE = (
    "cached_tokens",
    "cachedContentTokenCount",
    "cached_content_token_count",
    "cachedInputTokens",
    "input_cached_tokens",
    "cached_input_tokens",
    "prompt_cache_hit_tokens",
    "promptCachedTokens",
    "input_cache_read",
    "cached_prompt_tokens",
)
CACHED_BESIDE = (
    "cache_read_input_tokens",
    "cacheReadInputTokens",
    "cacheReadInputTokenCount",
    "cache_read_tokens",
    "cacheReadTokens",
)
REASONING = (
    "reasoning_tokens",
    "thoughtsTokenCount",
    "reasoningTokens",
    "thoughts_token_count",
    "output_reasoning_tokens",
    "reasoning_output_tokens",
    "output_reasoning",
)
DETAILS_IN = (
    "prompt_tokens_details",
    "input_tokens_details",
    "inputTokensDetails",
    "promptTokensDetails",
    "inputTokenDetails",
    "input_token_details",
)
DETAILS_OUT = (
    "completion_tokens_details",
    "output_tokens_details",
    "outputTokensDetails",
    "completionTokensDetails",
    "outputTokenDetails",
    "output_token_details",
)

COUNTS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


def read_usage(value: object, field: str = "usage") -> Fields:
    """The counts of one usage object, absent ones left out.

    Raises:
        MalformedRecord: a count that is no count.
    """
    usage = mapping(value)
    fields: Fields = {}
    if not usage:
        return fields
    _put(fields, "input_tokens", usage, INPUT, field)
    _put(fields, "output_tokens", usage, OUTPUT, field)
    _put(fields, "reasoning_tokens", usage, REASONING, field)
    beside = False
    if not _put(fields, "cached_tokens", usage, CACHED_INSIDE, field):
        beside = _put(fields, "cached_tokens", usage, CACHED_BESIDE, field)
    for name in DETAILS_IN:
        details = usage.get(name)
        if isinstance(details, dict):
            for part in ("cached_tokens", "cachedTokens", "cache_read", "cacheReadTokens"):
                if (cached := count(details.get(part), f"{field}.{name}.{part}")) is not None:
                    # a proxy that translated Anthropic's answer writes both names
                    fields["cached_tokens"] = cached
                    beside = False
                    break
    for name in DETAILS_OUT:
        details = usage.get(name)
        if isinstance(details, dict):
            for part in ("reasoning_tokens", "reasoningTokens", "reasoning"):
                got = count(details.get(part), f"{field}.{name}.{part}")
                if got is not None:
                    fields["reasoning_tokens"] = got
                    break
    if "cached_tokens" in fields:
        # cacheRead* names beside prompt_tokens come from a proxy with OpenAI's accounting
        fields["cached_in_input"] = not (beside and "prompt_tokens" not in usage)
    return fields


def merge_usage(fields: Fields, more: Fields) -> None:
    """Streams repeat usage: take the maximum per field (start or end may hold a 0 or a stub)."""
    for name in COUNTS:
        new, old = more.get(name), fields.get(name)
        if new is not None and (old is None or new > old):
            fields[name] = new
    if "cached_in_input" in more:
        fields.setdefault("cached_in_input", more["cached_in_input"])


def drop_empty_usage(fields: Fields) -> None:
    """No call has neither input nor output tokens: both 0 means that nobody counted."""
    counted = (fields.get("input_tokens"), fields.get("output_tokens"), fields.get("cached_tokens"))
    if not any(counted):
        for name in (*COUNTS, "cached_in_input"):
            fields.pop(name, None)


def _put(
    fields: Fields, name: str, usage: dict[str, Any], keys: tuple[str, ...], field: str
) -> bool:
    for key in keys:
        value = usage.get(key)
        if value is not None and not isinstance(value, dict | list):
            got = count(value, f"{field}.{key}")
            if got is not None:
                fields[name] = got
                return True
    return False
