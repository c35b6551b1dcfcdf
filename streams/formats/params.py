"""Request parameters under the names of all providers.

They are what the client wrote, so they are read leniently: a value that no provider accepts
(a temperature of "hot", an NaN) is left out, and the request is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from streams.formats.values import Fields, flag, is_absent

_encode = msgspec.json.Encoder(order="deterministic").encode

_LARGEST = 2**63 - 1


def _real(value: object) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        parsed = float(value)
    except OverflowError:
        return None
    return parsed if math.isfinite(parsed) and parsed not in (-1.0, -1000.0) else None


def _whole(value: object) -> int | None:
    if type(value) is int:
        return value if 0 <= value <= _LARGEST else None
    if isinstance(value, dict) and "low" in value and isinstance(value["low"], int):
        value = value["low"] if value.get("high") == 0 else -1
    parsed = _real(value)
    if parsed is None or parsed < 0 or parsed > _LARGEST or not parsed.is_integer():
        return None
    return int(parsed)


def _seed(value: object) -> int | None:
    if type(value) is int and abs(value) <= _LARGEST:
        return value
    return _whole(value)


def _effort(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("effort")
    return value if isinstance(value, str) and not is_absent(value) else None


_Reader = Callable[[object], object]

_NAMES: dict[str, tuple[str, _Reader]] = {
    "temperature": ("temperature", _real),
    "top_p": ("top_p", _real),
    "topP": ("top_p", _real),
    "p": ("top_p", _real),
    "n": ("n", _whole),
    "num_generations": ("n", _whole),
    "candidateCount": ("n", _whole),
    "candidate_count": ("n", _whole),
    "num_return_sequences": ("n", _whole),
    "max_tokens": ("max_tokens", _whole),
    "max_completion_tokens": ("max_tokens", _whole),
    "max_output_tokens": ("max_tokens", _whole),
    "maxTokens": ("max_tokens", _whole),
    "maxOutputTokens": ("max_tokens", _whole),
    "max_tokens_to_sample": ("max_tokens", _whole),
    "maxTokenCount": ("max_tokens", _whole),
    "max_gen_len": ("max_tokens", _whole),
    "max_new_tokens": ("max_tokens", _whole),
    "num_predict": ("max_tokens", _whole),
    "maxCompletionTokens": ("max_tokens", _whole),
    "top_logprobs": ("top_logprobs", _whole),
    "topLogprobs": ("top_logprobs", _whole),
    "stream": ("stream", flag),
    "is_stream": ("stream", flag),
    "seed": ("seed", _seed),
    "random_seed": ("seed", _seed),
    "reasoning_effort": ("reasoning_effort", _effort),
    "reasoning": ("reasoning_effort", _effort),
    "output_config": ("reasoning_effort", _effort),
    "reasoningEffort": ("reasoning_effort", _effort),
    "thinkingLevel": ("reasoning_effort", _effort),
}
_NESTED = (
    "generationConfig",
    "generation_config",
    "inferenceConfig",
    "textGenerationConfig",
    "parameters",
    "options",
    "inferenceParams",
    "sampling_params",
    "generateContentConfig",
    "thinkingConfig",
    "thinking_config",
    "additionalModelRequestFields",
)


def read_params(body: dict[str, Any], fields: Fields, depth: int = 0) -> None:
    """Adds the parameters found in a request body (and its nested settings) to `fields`."""
    for key, value in body.items():
        known = _NAMES.get(key)
        if known is not None:
            name, reader = known
            if value is not None and fields.get(name) is None:
                got = reader(value)
                if got is not None:
                    fields[name] = got
        elif key in _NESTED:
            if isinstance(value, dict) and depth < 3:
                read_params(value, fields, depth + 1)
        elif key in _SPECIAL:
            _SPECIAL[key](value, fields)


def _logprobs(value: object, fields: Fields) -> None:
    """True or false in chat; in completions the number of top logprobs, 0 included."""
    if isinstance(value, bool):
        fields["logprobs"] = value
    elif (wanted := _whole(value)) is not None:
        fields["logprobs"] = True
        fields.setdefault("top_logprobs", wanted)


def _logit_bias(value: object, fields: Fields) -> None:
    if isinstance(value, dict):
        fields["logit_bias_size"] = len(value)


def _response_format(value: object, fields: Fields) -> None:
    if isinstance(value, str) and not is_absent(value):
        fields.setdefault("response_format", value)
    elif isinstance(value, dict) and value:
        fields.setdefault("response_format", canonical_json(value))


def _text_format(value: object, fields: Fields) -> None:
    if isinstance(value, dict) and isinstance(value.get("format"), dict):
        _response_format(value["format"], fields)


_SPECIAL: dict[str, Callable[[object, Fields], None]] = {
    "logprobs": _logprobs,
    "responseLogprobs": _logprobs,
    "logit_bias": _logit_bias,
    "response_format": _response_format,
    "responseMimeType": _response_format,
    "responseSchema": _response_format,
    "format": _response_format,
    "output_format": _response_format,
    "text": _text_format,
}


def read_tools(body: dict[str, Any], fields: Fields) -> None:
    """Adds the tool definitions (canonical JSON text) and their number."""
    tools = body.get("tools")
    if tools is None:
        tools = body.get("functions")
    if tools is None:
        config = body.get("toolConfig") or body.get("tool_config")
        tools = config.get("tools") if isinstance(config, dict) else None
    put_tools(tools, fields)


def put_tools(tools: object, fields: Fields) -> None:
    """Adds a tool list that was found outside a body; Gemini nests declarations one deeper."""
    if isinstance(tools, dict):
        tools = list(tools.values())
    if not isinstance(tools, list) or not tools:
        return
    fields["tools"] = canonical_json(tools)
    number = 0
    for tool in tools:
        nested = None
        if isinstance(tool, dict):
            if "cachePoint" in tool and len(tool) == 1:
                continue
            nested = tool.get("functionDeclarations", tool.get("function_declarations"))
        number += len(nested) if isinstance(nested, list) else 1
    fields["tool_count"] = number


def canonical_json(value: object) -> str:
    """JSON text with sorted keys, so that equal definitions are equal texts."""
    return _encode(value).decode("utf-8", "replace")
