"""Model, counts, parameters, outcome and identity of a span or log record, under all names in use.

Current GenAI conventions, their predecessors, OpenLLMetry, OpenLIT, OpenInference, Vercel AI SDK,
Claude Code, Gemini CLI, Cloudflare and Envoy AI Gateway.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import put_models
from streams.formats.exchange import put_status, settle_outcome
from streams.formats.otel_messages import indexed
from streams.formats.otel_units import Unit
from streams.formats.params import put_tools, read_params
from streams.formats.times import span_ms
from streams.formats.tokens import drop_empty_usage
from streams.formats.values import (
    Fields,
    amount,
    count,
    first,
    flag,
    identity,
    json_in,
    mapping,
    sequence,
    text_of,
    word,
)

MODEL = (
    "gen_ai.request.model",
    "llm.model_name",
    "llm.request.model",
    "ai.model.id",
    "langfuse.observation.model.name",
    "gen_ai.request.model_name",
    "model",
    "model_name",
    "llm.model",
)
SERVED = ("gen_ai.response.model", "llm.response.model", "ai.response.model")
PROVIDER = (
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "ai.model.provider",
    "gen_ai.model.provider",
    "llm.vendor",
)
INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "input_token_count",
    "input_tokens",
    "gen_ai.usage.input",
    "llm.usage.input_tokens",
    "prompt_tokens",
)
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "output_token_count",
    "output_tokens",
    "gen_ai.usage.output",
    "llm.usage.output_tokens",
    "completion_tokens",
)
CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cached_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.prompt_tokens_details.cached_tokens",
    "gen_ai.usage.input_tokens_details.cached_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.cached_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.usage.cache_read_input_tokens",
    "llm.usage.prompt_tokens_details.cached_tokens",
    "ai.usage.cachedInputTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "cached_content_token_count",
    "cached_token_count",
    "cached_tokens",
    "cache_read_tokens",
    "cache_read_input_tokens",
)
REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
    "gen_ai.usage.completion_tokens_details.reasoning_tokens",
    "gen_ai.usage.output_tokens_details.reasoning_tokens",
    "gen_ai.usage.experimental.reasoning_tokens",
    "gen_ai.usage.thoughts_tokens",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
    "ai.usage.reasoningTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "thoughts_token_count",
    "reasoning_token_count",
    "reasoning_tokens",
)
FINISH = (
    "gen_ai.response.finish_reasons",
    "gen_ai.response.finish_reason",
    "ai.response.finishReason",
    "ai.finishReason",
    "llm.response.finish_reason",
    "llm.response.stop_reason",
    "gen_ai.finish_reason",
    "finish_reasons",
    "finish_reason",
    "stop_reason",
)
ACCOUNTS = (
    "attributes[user.account_uuid]",
    "attributes[user.id]",
    "attributes[enduser.id]",
    "attributes[langfuse.user.id]",
    "attributes[ai.telemetry.metadata.userId]",
    "attributes[ai.telemetry.metadata.user_id]",
    "attributes[metadata.user_api_key_hash]",
    "attributes[traceloop.association.properties.user_id]",
    "attributes[account.id]",
    "attributes[customer.id]",
    "attributes[tenant.id]",
    "attributes[user_id]",
    "attributes[gen_ai.user.id]",
    "attributes[metadata](json).user_id",
    "resource.attributes[user.account_uuid]",
    "resource.attributes[enduser.id]",
    "resource.attributes[user.id]",
)
_BESIDE = ("cache_read_tokens", "cache_read_input_tokens")


def read_fields(unit: Unit, fields: Fields) -> None:
    """Adds everything but the conversation.

    Raises:
        MalformedRecord: a count or measure that is none.
    """
    attributes = unit.attributes
    asked = text_of(pick(attributes, MODEL)) or text_of(fields.get("model"))
    put_models(fields, asked, text_of(pick(attributes, SERVED)))
    provider = text_of(pick(attributes, PROVIDER))
    if provider is not None:
        fields["provider"] = provider.lower()
    _read_counts(attributes, fields)
    _read_params(attributes, fields)
    _read_tools(attributes, fields)
    reasons = pick(attributes, FINISH)
    if isinstance(reasons, str):
        reasons = first(sequence(reasons), reasons)
    if isinstance(reasons, list):
        reasons = next((reason for reason in reasons if isinstance(reason, str)), None)
    if isinstance(reasons, str) and reasons:
        fields["finish_reason_raw"] = reasons
    _read_outcome(unit, fields)
    _read_identity(unit, fields)
    if unit.start_s is not None:
        fields["event_time_s"] = unit.start_s
    latency = first(span_ms(unit.start_s, unit.end_s), attributes.get("duration_ms"))
    if (spent := amount(latency, "duration_ms")) is not None:
        fields["latency_ms"] = spent
    for name, factor in (
        ("gen_ai.response.time_to_first_chunk", 1000.0),
        ("ttft_ms", 1.0),
        ("gen_ai.server.time_to_first_token", 1000.0),
        ("ai.response.msToFirstChunk", 1.0),
        ("gen_ai.server.ttft", 1000.0),
        ("gen_ai.latency.time_to_first_token", 1000.0),
    ):
        if (value := amount(attributes.get(name), name)) is not None:
            fields["ttft_ms"] = value * factor
            break
    cost = first(
        attributes.get("gen_ai.usage.cost"),
        attributes.get("cost_usd"),
        attributes.get("llm.cost.total"),
    )
    if (price := amount(cost, "gen_ai.usage.cost")) is not None:
        fields["cost_usd"] = price


def pick(attributes: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first attribute of these names that says something."""
    for name in names:
        value = attributes.get(name)
        if value is not None and first(value) is not None:
            return value
    return None


def _read_counts(attributes: dict[str, Any], fields: Fields) -> None:
    for target, names in (
        ("input_tokens", INPUT),
        ("output_tokens", OUTPUT),
        ("cached_tokens", CACHED),
        ("reasoning_tokens", REASONING),
    ):
        for name in names:
            if name in attributes and (value := count(attributes[name], name)) is not None:
                fields[target] = value
                if target == "cached_tokens":
                    fields["cached_in_input"] = name not in _BESIDE
                break
    cached, given = fields.get("cached_tokens"), fields.get("input_tokens")
    if cached is not None and given is not None and cached > given:
        fields["cached_in_input"] = False  # more cached than counted: counted apart
    drop_empty_usage(fields)


_REQUEST_PREFIXES = (
    "gen_ai.request.",
    "llm.request.",
    "ai.settings.",
    "gen_ai.openai.request.",
    "llm.",
)
_RENAMED = {
    "choice.count": "n",
    "reasoning.level": "reasoning_effort",
    "is_streaming": "stream",
    "reasoning.effort": "reasoning_effort",
    "choice_count": "n",
}


def _read_params(attributes: dict[str, Any], fields: Fields) -> None:
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        for prefix in _REQUEST_PREFIXES:
            if name.startswith(prefix):
                short = name[len(prefix) :]
                found.setdefault(_RENAMED.get(short, short), value)
                break
    for name in (
        "llm.invocation_parameters",
        "langfuse.observation.model.parameters",
        "gen_ai.request.parameters",
        "model_parameters",
    ):
        for key, value in mapping(attributes.get(name)).items():
            found.setdefault(key, value)
    if isinstance(schema := found.get("response_format"), str):
        found["response_format"] = first(json_in(schema), schema)
    effort = attributes.get("effort")
    if effort is not None:
        found.setdefault("reasoning_effort", effort)
    read_params(found, fields)
    if fields.get("stream") is None:
        operation = attributes.get("ai.operationId")
        if isinstance(operation, str) and "stream" in operation.lower():
            fields["stream"] = True


def _read_tools(attributes: dict[str, Any], fields: Fields) -> None:
    if "tools" in fields:
        return
    for name in (
        "gen_ai.tool.definitions",
        "ai.prompt.tools",
        "gen_ai.request.tools",
        "llm.request.tools",
    ):
        tools = sequence(attributes.get(name))
        if tools:
            put_tools(
                [first(json_in(tool), tool) if isinstance(tool, str) else tool for tool in tools],
                fields,
            )
            return
    listed = indexed(attributes, "llm.tools.")
    if listed:
        put_tools(
            [first(json_in(str(entry.get("tool.json_schema"))), entry) for entry in listed], fields
        )
        return
    functions = indexed(attributes, "llm.request.functions.")
    if functions:
        put_tools(functions, fields)


def _read_outcome(unit: Unit, fields: Fields) -> None:
    attributes = unit.attributes
    for name in ("http.response.status_code", "http.status_code", "status_code"):
        if put_status(attributes.get(name), fields):
            break
    code = first(attributes.get("error.type"), attributes.get("error_type"))
    if identity(code) is None:
        for event in unit.events:
            if event.name == "exception":
                code = event.attributes.get("exception.type")
    failed = word(first(unit.status.get("code"), unit.status.get("status_code"))).upper()
    if identity(code) is None and failed in ("2", "ERROR", "STATUS_CODE_ERROR"):
        code = first(text_of(attributes.get("error.code")), "error")
    if identity(code) is None and flag(attributes.get("success")) is False:
        code = "error"
    if (error := identity(code)) is not None:
        fields.setdefault("error_code", error)
    if "status" not in fields and failed in ("1", "OK", "STATUS_CODE_OK"):
        fields["status"] = "success"
    settle_outcome(fields)


def _read_identity(unit: Unit, fields: Fields) -> None:
    attributes = unit.attributes
    for target, names in (
        ("organisation", ("organization.id", "user.organization_id", "org.id")),
        ("end_user", ("gen_ai.request.user", "llm.user", "gen_ai.openai.request.user")),
        ("key", ("metadata.user_api_key_hash", "gen_ai.api_key.hash", "api_key.id")),
        ("user_agent", ("user_agent.original", "http.user_agent")),
        ("client_ip", ("client.address", "net.peer.ip", "http.client_ip")),
        ("endpoint", ("url.path", "http.route", "http.target", "gen_ai.endpoint")),
    ):
        value = identity(
            first(*(attributes.get(name) for name in names), unit.resource.get(names[0]))
        )
        if value is not None:
            fields.setdefault(target, value)
