"""OpenTelemetry GenAI spans and log records; parent and child of one call become one request.

What is one call: an LLM span inside another one of the same record, the same response id, or trace
and prompt as `span_join` says. The inner span's values win, the outer one fills what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streams.formats.assemble import build
from streams.formats.documents import documents_in
from streams.formats.finish import normalised_finish
from streams.formats.format import Context, Format
from streams.formats.otel_fields import ACCOUNTS, FINISH, INPUT, MODEL, OUTPUT, pick, read_fields
from streams.formats.otel_messages import CHOICE, MESSAGE_EVENTS, read_conversation
from streams.formats.otel_units import WRAPPERS, Event, Unit, units_in
from streams.formats.request_body import put_messages
from streams.formats.span_join import Seen, prompt_digest, same_call
from streams.formats.values import Fields, first, identity, mapping, sequence, word
from streams.record import ApiRequest

EXAMPLE = (
    b'{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"scope":{"name":"x"},"spans":'
    b'[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":'
    b'"chat m-small","startTimeUnixNano":"1772352000500000000","endTimeUnixNano":'
    b'"1772352001250000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":'
    b'"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"m-small"}},{"key":'
    b'"gen_ai.input.messages","value":{"stringValue":"[{\\"role\\":\\"user\\",\\"parts\\":[{'
    b'\\"type\\":\\"text\\",\\"content\\":\\"Name a bird.\\"}]}]"}},{"key":'
    b'"gen_ai.usage.input_tokens","value":{"intValue":"11"}},{"key":"user.id","value":'
    b'{"stringValue":"acct_9"}}]}]}]}]}'
)

_PREFIXES = (
    "gen_ai.",
    "llm.",
    "ai.",
    "openinference.",
    "traceloop.",
    "gemini_cli.",
    "claude_code.",
    "gcp.vertex.agent.",
    "langfuse.",
)
_NO_CALL = frozenset(
    {
        "list_messages",
        "list_run_steps",
        "create_thread",
        "create_message",
        "create_agent",
        "update_agent",
        "delete_agent",
        "execute_tool",
        "embeddings",
        "embedding",
        "rerank",
        "retrieval",
        "submit_tool_outputs",
        "start_thread_run",
        "get_thread_run",
        "tool",
        "text_embedding",
        "image_generation",
        "execute_task",
        "handoff",
    }
)
_DETAILS = "gen_ai.client.inference.operation.details"
_AGENT_EVENTS = frozenset(
    {
        "claude_code.api_request",
        "api_request",
        "claude_code.api_error",
        "api_error",
        "gemini_cli.api_response",
        "gemini_cli.api_error",
        "qwen-code.api_response",
        "qwen-code.api_error",
        "claude_code.llm_request",
    }
)
"""Log events of coding agents that tell of one call to a model."""
_PROMPT_EVENTS = frozenset(
    {
        "claude_code.user_prompt",
        "user_prompt",
        "gemini_cli.user_prompt",
        "gemini_cli.api_request",
        "qwen-code.user_prompt",
        "qwen-code.api_request",
    }
)
"""Log events that hold the text of a turn and tell of no answer."""


@dataclass(slots=True)
class _Call:
    unit: Unit
    request: ApiRequest
    response_id: str


def recognises(obj: Any) -> bool:
    """OTLP wrappers, or a bare span or log record with GenAI attributes."""
    if isinstance(obj, str):
        if obj.lstrip()[:1] != "{":
            return False
        documents, _ = documents_in(obj, most=20)
        return any(recognises(document) for document in documents)
    if isinstance(obj, list):
        return any(recognises(entry) for entry in obj[:20])
    if not isinstance(obj, dict):
        return False
    if any(isinstance(obj.get(name), list | dict) for name in WRAPPERS):
        return True
    attributes = first(obj.get("attributes"), obj.get("SpanAttributes"), obj.get("LogAttributes"))
    if isinstance(attributes, list):
        names = [pair.get("key") for pair in attributes if isinstance(pair, dict)]
    elif isinstance(attributes, dict):
        names = list(attributes)
    else:
        return isinstance(obj.get("spans"), list) and any(
            recognises(span) for span in obj["spans"][:20]
        )
    if any(isinstance(name, str) and name.startswith(_PREFIXES) for name in names):
        return True
    if isinstance(attributes, dict) and str(attributes.get("event.name", "")).startswith(
        ("gemini_cli.", "claude_code.", "qwen-code.", "gen_ai.")
    ):
        return True
    return (
        "hrTime" in obj
        or "trace_id" in mapping(obj.get("context"))
        or ("traceId" in obj and "spanId" in obj)
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a call; other spans and log records give none."""
    units = list(units_in(obj))
    calls: list[_Call] = []
    messages: dict[str, list[Unit]] = {}
    for unit in units:
        if unit.is_log and unit.name in (*MESSAGE_EVENTS, CHOICE):
            messages.setdefault(f"{unit.trace_id}/{unit.span_id}", []).append(unit)
        elif unit.is_log and unit.name in _PROMPT_EVENTS:
            _note_prompt(unit, context)
        elif _is_call(unit):
            if unit.is_log and unit.name in _AGENT_EVENTS:
                # their span is that of the whole turn: many calls share it
                unit.trace_id = unit.span_id = unit.parent_id = ""
            calls.append(_read(unit, context))
    calls.extend(_of_message_events(messages, context))
    calls = _without_outer(calls, units)
    kept = _merged(calls)
    return [call.request for call in kept if _first_sight(call, context)]


def tells(unit: Unit) -> bool:
    """Whether the unit is a call or a part of one that may come in another record."""
    if unit.is_log and unit.name in (*MESSAGE_EVENTS, CHOICE, *_PROMPT_EVENTS):
        return True
    return _is_call(unit)


def ties(unit: Unit) -> list[str]:
    """What binds units to one call, here or in another record: trace, response id, agent's turn."""
    found = [f"trace {unit.trace_id}"] if unit.trace_id else []
    if response_id := _response_id(unit):
        found.append(f"response {response_id}")
    if unit.is_log and (turn := _turn(unit)) != "/":
        found.append(f"turn {turn}")
    return found


def _is_call(unit: Unit) -> bool:
    attributes = unit.attributes
    kind = word(attributes.get("openinference.span.kind")).upper()
    if kind:
        return kind == "LLM"
    loop = word(attributes.get("traceloop.span.kind")).lower()
    if loop in ("workflow", "task", "agent", "tool"):
        return False
    operation = word(attributes.get("gen_ai.operation.name")).lower()
    if operation in _NO_CALL or unit.name.split(" ")[0] in _NO_CALL:
        return False
    if word(attributes.get("llm.request.type")).lower() in ("embedding", "rerank"):
        return False
    vercel = word(attributes.get("ai.operationId"))
    if vercel.startswith(("ai.toolCall", "ai.embed")):
        return False
    if unit.name == _DETAILS:
        return True
    if unit.is_log:
        return unit.name in _AGENT_EVENTS and _names_model(unit)
    if word(attributes.get("langfuse.observation.type")).lower() in (
        "span",
        "event",
        "tool",
        "agent",
        "chain",
        "retriever",
    ):
        return False
    if not _names_model(unit):
        return False
    telling = (
        operation
        or vercel
        or any(event.name.startswith("gen_ai.") for event in unit.events)
        or pick(attributes, INPUT) is not None
        or pick(attributes, OUTPUT) is not None
        or pick(attributes, FINISH) is not None
        or any(
            name.startswith(
                (
                    "gen_ai.prompt",
                    "llm.input_messages",
                    "ai.prompt",
                    "llm.prompts",
                    "gen_ai.input",
                    "gcp.vertex.agent.llm_request",
                    "gen_ai.request.",
                    "llm.request.",
                )
            )
            for name in attributes
        )
    )
    return bool(telling)


def _names_model(unit: Unit) -> bool:
    attributes = unit.attributes
    if pick(attributes, MODEL) is not None or "gen_ai.response.model" in attributes:
        return True
    return any(
        name in attributes
        for name in ("gcp.vertex.agent.llm_request", "gen_ai.prompt_json", "gen_ai.input.messages")
    )


def _read(unit: Unit, context: Context) -> _Call:
    fields: Fields = {"source": _source(unit)}
    read_conversation(unit, fields)
    if unit.is_log and unit.name in _AGENT_EVENTS and "messages" not in fields:
        prompt = context.joins.take_prompt(_turn(unit), f"{unit.start_s}/{unit.attributes}")
        if prompt is not None:
            put_messages(first(sequence(prompt), prompt), fields)
    read_fields(unit, fields)
    if "finish_reason_raw" in fields:
        fields["finish_reason"] = normalised_finish(fields["finish_reason_raw"])
    if "output_text" in fields:
        fields["output_chars"] = len(fields["output_text"])
    if unit.trace_id and unit.span_id:
        fields["event_id"] = f"{unit.trace_id}/{unit.span_id}"
    context.put_account(unit.raw, fields, *ACCOUNTS)
    return _Call(unit, build(fields), _response_id(unit))


def _response_id(unit: Unit) -> str:
    found = first(
        unit.attributes.get("gen_ai.response.id"),
        unit.attributes.get("ai.response.id"),
        unit.attributes.get("llm.response.id"),
        unit.attributes.get("request_id"),
    )
    return identity(found) or ""


def _turn(unit: Unit) -> str:
    attributes = unit.attributes
    session = word(first(attributes.get("session.id"), unit.resource.get("session.id")))
    return f"{session}/{word(first(attributes.get('prompt.id'), attributes.get('prompt_id')))}"


def _note_prompt(unit: Unit, context: Context) -> None:
    text = first(unit.attributes.get("request_text"), unit.attributes.get("prompt"))
    if isinstance(text, str) and _turn(unit) != "/":
        context.joins.keep_prompt(_turn(unit), text)


def _source(unit: Unit) -> str:
    attributes = unit.attributes
    for prefix, name in (
        ("ai.operationId", "vercel_ai"),
        ("openinference.", "openinference"),
        ("llm.input_messages", "openinference"),
        ("traceloop.", "openllmetry"),
        ("gcp.vertex.agent.", "google_adk"),
        ("langfuse.", "langfuse"),
    ):
        if any(key.startswith(prefix) for key in attributes):
            return f"otel/{name}"
    if unit.name.startswith(("claude_code", "api_")):
        return "otel/claude_code"
    if unit.name.startswith("gemini_cli"):
        return "otel/gemini_cli"
    return "otel/log" if unit.is_log else "otel"


def _of_message_events(messages: dict[str, list[Unit]], context: Context) -> list[_Call]:
    """Log records of one call (user message, choice ...), grouped by span."""
    calls = []
    for group in messages.values():
        whole = Unit(
            name=CHOICE,
            attributes={},
            resource=group[0].resource,
            is_log=True,
            trace_id=group[0].trace_id,
            span_id=group[0].span_id,
        )
        for unit in group:
            whole.attributes.update(unit.attributes)
            whole.events.append(Event(unit.name, unit.attributes, unit.body))
        times = [unit.start_s for unit in group if unit.start_s is not None]
        whole.start_s = min(times, default=None)
        if any(
            unit.name in ("gen_ai.user.message", "gen_ai.tool.message", CHOICE) for unit in group
        ):
            calls.append(_read(whole, context))
    return calls


def _without_outer(calls: list[_Call], units: list[Unit]) -> list[_Call]:
    """Drops a span that encloses another call of the same record; the inner one inherits."""
    parents = {unit.span_id: unit.parent_id for unit in units if unit.span_id and not unit.is_log}
    by_span = {call.unit.span_id: call for call in calls if call.unit.span_id}
    outer: set[int] = set()
    for call in calls:
        at = call.unit.parent_id
        for _ in range(64):
            if not at:
                break
            enclosing = by_span.get(at)
            if enclosing is not None and enclosing is not call:
                outer.add(id(enclosing))
                _inherit(call.request, enclosing.request)
            at = parents.get(at, "")
    return [call for call in calls if id(call) not in outer]


_NOT_INHERITED = frozenset(
    {
        "latency_ms",
        "event_id",
        "source",
        "output_tokens",
        "input_tokens",
        "cached_tokens",
        "cached_in_input",
        "reasoning_tokens",
    }
)


def _inherit(inner: ApiRequest, outer: ApiRequest, counts: bool = False) -> None:
    for name in ApiRequest.__struct_fields__:
        if getattr(inner, name) is None and (counts or name not in _NOT_INHERITED):
            value = getattr(outer, name)
            if value is not None:
                setattr(inner, name, value)


def _merged(calls: list[_Call]) -> list[_Call]:
    """Calls of one record told twice (same response id, same span, or enclosed in time)."""
    kept: list[_Call] = []
    for call in calls:
        for other in kept:
            if _same(call, other):
                if _wealth(call.request) > _wealth(other.request):
                    _inherit(call.request, other.request, counts=True)
                    kept[kept.index(other)] = call
                else:
                    _inherit(other.request, call.request, counts=True)
                break
        else:
            kept.append(call)
    return kept


def _same(one: _Call, other: _Call) -> bool:
    if one.response_id and one.response_id == other.response_id:
        return True
    if (
        one.unit.span_id
        and one.unit.span_id == other.unit.span_id
        and (one.unit.trace_id == other.unit.trace_id)
    ):
        return True
    if not one.unit.trace_id or one.unit.trace_id != other.unit.trace_id:
        return False
    if not one.request.messages or not other.request.messages:
        return False
    return prompt_digest(one.request) == prompt_digest(other.request) and same_call(
        _seen(one), _seen(other)
    )


def _wealth(request: ApiRequest) -> int:
    return sum(getattr(request, name) is not None for name in ApiRequest.__struct_fields__)


def _seen(call: _Call) -> Seen:
    return Seen(
        call.unit.span_id,
        call.unit.parent_id,
        call.response_id,
        call.unit.start_s,
        call.unit.end_s,
        call.unit.is_log,
    )


def _first_sight(call: _Call, context: Context) -> bool:
    return context.joins.is_new(call.unit.trace_id, _seen(call), call.request)


FORMAT = Format("otel", recognises, decode, EXAMPLE)
