"""LiteLLM: StandardLoggingPayload, spend logs, the legacy bucket payload, arrays of them.

Observed with LiteLLM 1.106.12 (generic_api callback). The two carry different clocks (epoch
seconds against naive UTC text), and spend logs keep objects as JSON text, "{}" for nothing.
"""

from __future__ import annotations

import re
from typing import Any

from streams.errors import MalformedRecord
from streams.formats.assemble import build, join_response, put_models
from streams.formats.errors_in import error_code, read_error
from streams.formats.exchange import path_of, put_status, settle_outcome
from streams.formats.format import Context, Format
from streams.formats.headers import lowered, read_headers
from streams.formats.messages import read_prompt
from streams.formats.params import put_tools, read_params, read_tools
from streams.formats.python_text import read_python
from streams.formats.request_body import put_messages, read_request
from streams.formats.response_body import read_response
from streams.formats.times import epoch_s, span_ms
from streams.formats.tokens import drop_empty_usage, read_usage
from streams.formats.values import (
    Fields,
    amount,
    count,
    first,
    flag,
    identity,
    is_absent,
    json_in,
    mapping,
    text_of,
)
from streams.record import ApiRequest

EXAMPLE = (
    b'{"id":"chatcmpl-9","litellm_call_id":"call-9","call_type":"acompletion","status":"success",'
    b'"stream":false,"startTime":1772352000.5,"endTime":1772352001.25,"model":"m-small",'
    b'"custom_llm_provider":"openai","metadata":{"user_api_key_hash":"ab12","user_agent":"x/1"},'
    b'"model_parameters":{"temperature":0.4,"max_tokens":90},"messages":[{"role":"user",'
    b'"content":"Name a bird."}],"response":{"choices":[{"finish_reason":"stop","message":'
    b'{"content":"Wren."}}]},"prompt_tokens":11,"completion_tokens":3}'
)

_MARKS = (
    "litellm_call_id",
    "custom_llm_provider",
    "model_map_information",
    "hidden_params",
    "litellm_params",
    "standard_logging_object",
    "error_information",
    "call_type",
    "proxy_server_request",
    "request_tags",
    "modelParameters",
)
_ACCOUNTS = (
    "metadata.user_api_key_hash",
    "metadata.user_api_key",
    "api_key",
    "metadata.user_api_key_user_id",
    "metadata.user_api_key_team_id",
    "kwargs.litellm_params.metadata.user_api_key_hash",
    "kwargs.litellm_params.metadata.user_api_key",
    "litellm_params.metadata.user_api_key_hash",
    "litellm_params.metadata.user_api_key",
    "litellm_params.metadata.user_api_key_user_id",
    "user",
)


def recognises(obj: Any) -> bool:
    """Two of LiteLLM's own names, or one beside its clock."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    if isinstance(obj, str):
        return read_python_log(obj) is not None
    if not isinstance(obj, dict) or "resourceSpans" in obj or "attributes" in obj:
        return False
    if isinstance(obj.get("message"), str) and "level" in obj:  # LiteLLM's JSON application log
        return read_python_log(obj["message"]) is not None
    if isinstance(obj.get("standard_logging_object"), dict):
        return True
    if isinstance(obj.get("kwargs"), dict) and "litellm_params" in obj["kwargs"]:
        return True
    marks = sum(name in obj for name in _MARKS)
    if marks >= 2 or (marks == 1 and ("startTime" in obj or "start_time" in obj)):
        return True
    return any(name.startswith("user_api_key") for name in mapping(obj.get("metadata")))


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a payload."""
    if isinstance(obj, list):
        return [request for entry in obj for request in decode(entry, context)]
    if isinstance(obj, str):
        found = read_python_log(obj)
        if found is None:
            raise MalformedRecord("", "a LiteLLM application log line", "another text")
        raw = found
    elif isinstance(obj.get("message"), str) and "level" in obj:
        raw = {"startTime": obj.get("timestamp"), **(read_python_log(obj["message"]) or {})}
    else:
        raw = obj
    if isinstance(raw.get("standard_logging_object"), dict):
        raw = raw["standard_logging_object"]
    source = "litellm/standard_logging_payload"
    if isinstance(raw.get("kwargs"), dict):
        raw = {**raw, **raw["kwargs"]}
        source = "litellm/legacy"
    elif "litellm_params" in raw or "modelParameters" in raw:
        source = "litellm/legacy"
    elif "spend" in raw or isinstance(raw.get("metadata"), str):
        source = "litellm/spend_logs"
    return [_read(raw, source, context)]


_CALL = re.compile(r"litellm\.a?(?:text_)?completion\(")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?")
_MOST_TRIES = 12


def read_python_log(text: str) -> dict[str, Any] | None:
    """The call out of an application log line: a Python dict, a call, or curl's JSON body."""
    if "litellm" not in text[:20_000].lower():
        return None
    starts = [found.start() for found in _CALL.finditer(text)][:2]
    at = text.find("{")
    while at >= 0 and len(starts) < _MOST_TRIES:
        starts.append(at)
        at = text.find("{", at + 1)
    for start in starts:
        parsed = json_in(text[start:]) if text[start] == "{" else None
        if not isinstance(parsed, dict):
            parsed = read_python(text[start:])
        if isinstance(parsed, dict) and (
            "litellm_params" in parsed
            or "messages" in parsed
            or ("model" in parsed and "prompt" in parsed)
        ):
            parsed.setdefault("litellm_params", {})
            stamp = _STAMP.search(text[:80])
            if stamp is not None:
                parsed.setdefault("startTime", stamp.group().replace(",", "."))
            return parsed
    return None


def _read(raw: dict[str, Any], source: str, context: Context) -> ApiRequest:
    metadata = mapping(raw.get("metadata"))
    inner = mapping(raw.get("litellm_params"))
    if not metadata:
        metadata = mapping(inner.get("metadata"))
    fields: Fields = {"source": source}
    _read_request(raw, inner, fields)
    response = raw.get("response", raw.get("response_obj", raw.get("original_response")))
    if not is_absent(response):
        join_response(fields, read_response(response))
    _read_usage(raw, metadata, fields)
    _read_times(raw, fields)
    _read_identity(raw, metadata, fields)
    _read_outcome(raw, metadata, fields)
    context.put_account(raw, fields, *_ACCOUNTS)
    if (
        "account" in fields
        and "key" not in fields
        and fields["account_path"].endswith(("user_api_key_hash", "user_api_key", "api_key"))
    ):
        fields["key"] = fields["account"]
    return build(fields)


def _read_request(raw: dict[str, Any], inner: dict[str, Any], fields: Fields) -> None:
    body = first(
        mapping(mapping(raw.get("proxy_server_request")).get("body")),
        mapping(raw.get("proxy_server_request")),
        mapping(mapping(inner.get("proxy_server_request")).get("body")),
    )
    if isinstance(body, dict):
        asked = read_request(body)
        fields.update((name, asked[name]) for name in asked if name != "model")
    messages = raw.get("messages", raw.get("input"))
    if not is_absent(messages):
        parsed = json_in(messages) if isinstance(messages, str) else messages
        if isinstance(parsed, dict):
            parsed = parsed.get("messages", [parsed])
        if isinstance(parsed, list):
            put_messages(parsed, fields)
        elif isinstance(messages, str):
            fields["messages"] = read_prompt(messages)
            fields["n_messages"] = len(fields["messages"])
    for settings in (
        raw.get("model_parameters"),
        raw.get("modelParameters"),
        raw.get("optional_params"),
        raw.get("additional_args"),
    ):
        found = mapping(settings)
        read_params(found, fields)
        if "tools" not in fields:
            read_tools(found, fields)
        if "end_user" not in fields and (user := identity(found.get("user"))):
            fields["end_user"] = user
        if isinstance(system := found.get("system"), str) and "system" not in fields:
            fields["system"] = system
    if "tools" not in fields:
        put_tools(raw.get("tools"), fields)
    if "litellm_params" in raw:  # a logged call holds its parameters flat
        read_params({name: value for name, value in raw.items() if name != "text"}, fields)
    model = text_of(raw.get("model"))
    group = text_of(raw.get("model_group"))
    asked_model = first(model, group, text_of(inner.get("model")))
    if asked_model is not None:
        served = fields.pop("model_served", None)
        put_models(fields, asked_model, served)
    streamed = flag(raw.get("stream"))
    if streamed is not None:
        fields["stream"] = streamed


def _read_usage(raw: dict[str, Any], metadata: dict[str, Any], fields: Fields) -> None:
    """The payload's own counts; cached and reasoning ones sit in the usage object only."""
    for value, where in (
        (metadata.get("usage_object"), "metadata.usage_object"),
        (raw.get("usage"), "usage"),
    ):
        for name, tokens in read_usage(value, where).items():
            fields.setdefault(name, tokens)
    for name, target in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")):
        tokens = count(raw.get(name), name)
        if tokens is not None and (tokens or target not in fields):
            fields[target] = tokens
    drop_empty_usage(fields)


def _read_times(raw: dict[str, Any], fields: Fields) -> None:
    start_s = epoch_s(first(raw.get("startTime"), raw.get("start_time")), "startTime")
    end_s = epoch_s(first(raw.get("endTime"), raw.get("end_time")), "endTime")
    token_s = epoch_s(
        first(raw.get("completionStartTime"), raw.get("completion_start_time")),
        "completionStartTime",
    )
    when = start_s if start_s is not None else end_s
    if when is None:
        created = mapping(raw.get("response")).get("created")
        when = epoch_s(created, "response.created")
    if when is not None:
        fields["event_time_s"] = when
    if (spent := span_ms(start_s, end_s)) is not None:
        fields["latency_ms"] = spent
    if fields.get("stream") and (ttft := span_ms(start_s, token_s)) is not None:
        fields["ttft_ms"] = ttft
    cost = amount(first(raw.get("response_cost"), raw.get("spend")), "response_cost")
    if cost is not None:
        fields["cost_usd"] = cost


def _read_identity(raw: dict[str, Any], metadata: dict[str, Any], fields: Fields) -> None:
    event_id = identity(first(raw.get("litellm_call_id"), raw.get("request_id"), raw.get("id")))
    if event_id is not None:
        fields["event_id"] = event_id
    organisation = identity(
        first(
            metadata.get("user_api_key_org_id"),
            raw.get("organization_id"),
            metadata.get("user_api_key_team_id"),
            raw.get("team_id"),
        )
    )
    if organisation is not None:
        fields["organisation"] = organisation
    end_user = identity(first(raw.get("end_user"), metadata.get("user_api_key_end_user_id")))
    if end_user is not None:
        fields["end_user"] = end_user
    provider = text_of(raw.get("custom_llm_provider"))
    if provider is not None:
        fields["provider"] = provider.lower()
    address = text_of(first(raw.get("requester_ip_address"), metadata.get("requester_ip_address")))
    if address is not None:
        fields["client_ip"] = address
    agent = text_of(first(raw.get("user_agent"), metadata.get("user_agent")))
    if agent is not None:
        fields["user_agent"] = agent
    requester = mapping(metadata.get("requester_metadata"))
    custom = lowered(metadata.get("requester_custom_headers"))
    read_headers({**lowered(requester.get("headers")), **custom}, fields)
    route = text_of(metadata.get("user_api_key_request_route"))
    if route is not None:
        fields["endpoint"] = path_of(route)


def _read_outcome(raw: dict[str, Any], metadata: dict[str, Any], fields: Fields) -> None:
    information = mapping(first(raw.get("error_information"), metadata.get("error_information")))
    code = identity(information.get("error_code"))
    put_status(first(raw.get("status"), metadata.get("status")), fields)
    if code is not None:
        fields["error_code"] = code
    elif (name := text_of(information.get("error_class"))) is not None:
        fields["error_code"] = name
    elif not is_absent(raw.get("error_str")) or not is_absent(raw.get("exception")):
        found = error_code(first(raw.get("error_str"), raw.get("exception")))
        if found is not None:
            fields["error_code"] = found
    message = information.get("error_message")
    if isinstance(message, str) and "refusal" in message:
        inner = mapping(message[message.find("{") : message.rfind("}") + 1])
        scratch: Fields = {}
        read_error(inner, scratch)
        if "refusal_category" in scratch:
            fields.setdefault("refusal_category", scratch["refusal_category"])
    settle_outcome(fields)


FORMAT = Format("litellm", recognises, decode, EXAMPLE)
