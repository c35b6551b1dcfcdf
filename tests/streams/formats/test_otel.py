"""OpenTelemetry dialects beyond the samples, and the joining of spans."""

from __future__ import annotations

import json
from typing import Any

from streams.formats.span_join import Seen, SpanJoin
from streams.intake import Intake
from streams.record import ApiRequest, Message
from tests.streams.formats.read_one import read_all, read_one, turns

TRACE = "0af7651916cd43dd8448eb211c80319c"
NANO = 1_000_000_000


def value(inner: object) -> dict[str, Any]:
    """OTLP's AnyValue."""
    if isinstance(inner, bool):
        return {"boolValue": inner}
    if isinstance(inner, int):
        return {"intValue": str(inner)}
    if isinstance(inner, float):
        return {"doubleValue": inner}
    if isinstance(inner, list):
        return {"arrayValue": {"values": [value(entry) for entry in inner]}}
    if isinstance(inner, dict):
        return {"kvlistValue": {"values": pairs(inner)}}
    return {"stringValue": str(inner)}


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """OTLP's list of attributes."""
    return [{"key": name, "value": value(inner)} for name, inner in attributes.items()]


def span(
    span_id: str,
    attributes: dict[str, Any],
    parent: str = "",
    start_s: float = 1790000000.0,
    end_s: float = 1790000001.0,
    name: str = "chat m",
    trace: str = TRACE,
) -> dict[str, Any]:
    """One OTLP span."""
    return {
        "traceId": trace,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": name,
        "kind": 3,
        "startTimeUnixNano": str(int(start_s * NANO)),
        "endTimeUnixNano": str(int(end_s * NANO)),
        "attributes": pairs(attributes),
    }


def spans(*entries: dict[str, Any]) -> dict[str, Any]:
    """An export request."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": []},
                "scopeSpans": [{"scope": {"name": "t"}, "spans": list(entries)}],
            }
        ]
    }


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    """An export request of log records."""
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": []},
                "scopeLogs": [{"scope": {"name": "t"}, "logRecords": list(records)}],
            }
        ]
    }


CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "acme",
    "gen_ai.request.model": "m-large",
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.choice.count": 3,
    "gen_ai.request.max_tokens": 64,
    "gen_ai.request.stream": True,
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 60,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.reasoning.output_tokens": 5,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]),
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "user", "parts": [{"type": "text", "content": "Read the gauge."}]},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "name": "gauge", "arguments": {}}],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "result": "4 m"}]},
        ]
    ),
    "gen_ai.output.messages": json.dumps(
        [
            {
                "role": "assistant",
                "finish_reason": "stop",
                "parts": [{"type": "text", "content": "Four metres."}],
            }
        ]
    ),
    "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "gauge"}]),
    "user.id": "acct_3",
}


def test_current_conventions() -> None:
    """Every current attribute name is read."""
    request = read_one(spans(span("01", CHAT)))
    assert (request.provider, request.model, request.account) == ("acme", "m-large", "acct_3")
    assert (request.temperature, request.n, request.max_tokens, request.stream) == (
        0.5,
        3,
        64,
        True,
    )
    assert (request.input_tokens, request.cached_tokens, request.cached_in_input) == (100, 60, True)
    assert (request.output_tokens, request.reasoning_tokens) == (20, 5)
    assert (request.finish_reason_raw, request.tool_count) == ("stop", 1)
    assert request.system == "Be brief."
    assert turns(request) == [("user", "Read the gauge."), ("assistant", ""), ("tool", "4 m")]
    assert (request.output_text, request.latency_ms) == ("Four metres.", 1000.0)


def test_messages_as_structured_attributes() -> None:
    """Messages may be kvlists instead of JSON text."""
    request = read_one(
        spans(
            span(
                "01",
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "m",
                    "gen_ai.input.messages": [
                        {"role": "user", "parts": [{"type": "text", "content": "Which buoy?"}]}
                    ],
                },
            )
        )
    )
    assert turns(request) == [("user", "Which buoy?")]


def test_parent_and_child_of_one_record_are_one_request() -> None:
    """Vercel's outer span repeats prompt and usage of the inner one; the user is inherited."""
    outer = {
        "ai.operationId": "ai.streamText",
        "ai.model.id": "m",
        "ai.model.provider": "acme",
        "ai.prompt": json.dumps(
            {"system": "Sail.", "messages": [{"role": "user", "content": "Which knot?"}]}
        ),
        "ai.usage.inputTokens": 30,
        "ai.usage.outputTokens": 9,
        "ai.telemetry.metadata.userId": "u-1",
    }
    inner = {
        "ai.operationId": "ai.streamText.doStream",
        "ai.model.id": "m",
        "ai.model.provider": "acme",
        "ai.prompt.messages": json.dumps(
            [
                {"role": "system", "content": "Sail."},
                {"role": "user", "content": [{"type": "text", "text": "Which knot?"}]},
            ]
        ),
        "ai.prompt.tools": ['{"type":"function","name":"a"}'],
        "ai.usage.inputTokens": 30,
        "ai.usage.outputTokens": 9,
        "gen_ai.response.finish_reasons": ["stop"],
    }
    request = read_one(
        spans(
            span("01", outer, end_s=1790000002.0, name="ai.streamText"),
            span("02", inner, parent="01", start_s=1790000000.1, name="ai.streamText.doStream"),
        )
    )
    assert (request.account, request.stream, request.tool_count) == ("u-1", True, 1)
    assert turns(request) == [("system", "Sail."), ("user", "Which knot?")]
    assert request.event_time_s == 1790000000.1


def test_parent_and_child_in_two_records_are_one_request() -> None:
    """The child comes first, the enclosing parent with the same prompt later: it is dropped."""
    intake = Intake()
    child = json.dumps(
        spans(span("02", CHAT, parent="01", start_s=1790000000.2, end_s=1790000000.9))
    ).encode()
    parent = json.dumps(
        spans(span("01", {**CHAT, "gen_ai.operation.name": "invoke_agent"}, name="invoke_agent x"))
    ).encode()
    assert len(intake.read(child, record_time_s=None)) == 1
    assert intake.read(parent, record_time_s=None) == []


def test_record_delivered_twice_is_given_twice_with_one_id() -> None:
    """After an aborted batch the same records are read again: nothing may be lost by the join."""
    intake = Intake()
    stamp = {"timeUnixNano": str(1790000000 * NANO)}
    turn = {"session.id": "s-1", "prompt.id": "p-1"}
    agent = logs(
        {
            **stamp,
            "body": value("claude_code.user_prompt"),
            "attributes": pairs(
                {**turn, "event.name": "user_prompt", "prompt": "Rename the quay."}
            ),
        },
        {
            **stamp,
            "body": value("claude_code.api_request"),
            "attributes": pairs(
                {**turn, "event.name": "api_request", "model": "m", "input_tokens": 3}
            ),
        },
    )
    for raw in (spans(span("01", {**CHAT, "gen_ai.response.id": "r-1"})), agent):
        record = json.dumps(raw).encode()
        first = intake.read(record, record_time_s=None)
        assert len(first) == 1
        assert intake.read(record, record_time_s=None) == first


def test_siblings_with_one_prompt_are_two_requests() -> None:
    """Two samples of one prompt under one parent are resampling, not one call told twice."""
    assert (
        len(
            read_all(
                spans(
                    span("02", CHAT, parent="01"),
                    span("03", CHAT, parent="01", start_s=1790000002.0, end_s=1790000003.0),
                )
            )
        )
        == 2
    )


def test_same_response_id_is_one_request_across_records() -> None:
    """A span and its details event share the response id."""
    intake = Intake()
    attributes = {**CHAT, "gen_ai.response.id": "resp-7"}
    one = json.dumps(spans(span("01", attributes))).encode()
    event = {
        "timeUnixNano": str(1790000001 * NANO),
        "traceId": TRACE,
        "spanId": "09",
        "eventName": "gen_ai.client.inference.operation.details",
        "attributes": pairs(attributes),
    }
    assert len(intake.read(one, record_time_s=None)) == 1
    assert intake.read(json.dumps(logs(event)).encode(), record_time_s=None) == []


def test_details_event_of_a_known_span_gives_nothing() -> None:
    """A log record with the span's own ids and no messages tells of the same call."""
    intake = Intake()
    event = {
        "timeUnixNano": str(1790000001 * NANO),
        "traceId": TRACE,
        "spanId": "01",
        "eventName": "gen_ai.client.inference.operation.details",
        "attributes": pairs({"gen_ai.request.model": "m-large"}),
    }
    assert len(intake.read(json.dumps(spans(span("01", CHAT))).encode(), record_time_s=None)) == 1
    assert intake.read(json.dumps(logs(event)).encode(), record_time_s=None) == []


def test_memory_of_spans_is_bounded() -> None:
    """Many calls leave at most the set number behind."""
    joins = SpanJoin(most=50)
    for number in range(500):
        seen = Seen(f"{number:x}", "", f"r{number}", 1790000000.0 + number, None)
        request = ApiRequest(messages=[Message("user", f"q{number}")])
        joins.keep_prompt(str(number), "p")
        assert joins.is_new(TRACE, seen, request)
    assert joins.size() <= 4 * 50


def test_message_events_as_log_records() -> None:
    """One log record a message, the choice last: one request."""

    def record(name: str, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "timeUnixNano": str(1790000000 * NANO),
            "traceId": TRACE,
            "spanId": "05",
            "body": value(body),
            "attributes": pairs({"gen_ai.system": "openai", "event.name": name}),
        }

    request = read_one(
        logs(
            record("gen_ai.system.message", {"content": "Be brief."}),
            record("gen_ai.user.message", {"content": "Which buoy?"}),
            record(
                "gen_ai.choice",
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "The red one."},
                },
            ),
        )
    )
    assert turns(request) == [("system", "Be brief."), ("user", "Which buoy?")]
    assert (request.finish_reason_raw, request.output_text, request.provider) == (
        "stop",
        "The red one.",
        "openai",
    )


def test_list_messages_and_tool_spans_give_nothing() -> None:
    """Spans that replay history or run tools are valid and no requests."""
    assert (
        read_all(
            spans(
                span(
                    "01",
                    {
                        "gen_ai.operation.name": "list_messages",
                        "gen_ai.system": "az.ai.agents",
                        "gen_ai.usage.input_tokens": 5,
                    },
                    name="list_messages",
                ),
                span("02", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "x"}),
                span("03", {"http.request.method": "GET"}, name="GET"),
            )
        )
        == []
    )


def test_claude_code_events() -> None:
    """The api_request event is a request, with cached tokens beside the input; others are none."""
    common = {
        "session.id": "s-1",
        "user.account_uuid": "acc-1",
        "organization.id": "org-1",
        "prompt.id": "p-1",
    }
    stamp = {"timeUnixNano": str(1790000000 * NANO)}
    prompt = {
        **stamp,
        "body": value("claude_code.user_prompt"),
        "attributes": pairs(
            {
                **common,
                "event.name": "user_prompt",
                "prompt": "Rename the quay.",
                "prompt_length": 16,
            }
        ),
    }
    call = {
        **stamp,
        "body": value("claude_code.api_request"),
        "attributes": pairs(
            {
                **common,
                "event.name": "api_request",
                "model": "m-large",
                "input_tokens": "3",
                "output_tokens": "88",
                "cache_read_tokens": "15000",
                "cost_usd": "0.02",
                "duration_ms": "2100",
            }
        ),
    }
    failed = {
        **stamp,
        "body": value("claude_code.api_error"),
        "attributes": pairs(
            {
                **common,
                "event.name": "api_error",
                "model": "m-large",
                "error": "Overloaded",
                "status_code": "529",
                "duration_ms": "300",
            }
        ),
    }
    done, error = read_all(logs(prompt, call, failed))
    assert (done.account, done.organisation, done.model) == ("acc-1", "org-1", "m-large")
    assert (done.input_tokens, done.cached_tokens, done.cached_in_input, done.output_tokens) == (
        3,
        15000,
        False,
        88,
    )
    assert turns(done) == [("user", "Rename the quay.")]
    assert (error.status, error.error_code) == (529, "529")


def test_google_adk_bodies_in_attributes() -> None:
    """ADK keeps Gemini's request and answer as JSON text."""
    request = read_one(
        spans(
            span(
                "01",
                {
                    "gen_ai.system": "gcp.vertex.agent",
                    "gen_ai.request.model": "g-flash",
                    "gcp.vertex.agent.llm_request": json.dumps(
                        {
                            "model": "g-flash",
                            "config": {
                                "system_instruction": "Be brief.",
                                "temperature": 0.2,
                                "tools": [
                                    {"function_declarations": [{"name": "a"}, {"name": "b"}]}
                                ],
                            },
                            "contents": [{"role": "user", "parts": [{"text": "Which tide?"}]}],
                        }
                    ),
                    "gcp.vertex.agent.llm_response": json.dumps(
                        {
                            "content": {"role": "model", "parts": [{"text": "Ebb."}]},
                            "finish_reason": "STOP",
                            "usage_metadata": {
                                "prompt_token_count": 21,
                                "candidates_token_count": 4,
                            },
                        }
                    ),
                },
                name="call_llm",
            )
        )
    )
    assert (request.system, request.temperature, request.tool_count) == ("Be brief.", 0.2, 2)
    assert turns(request) == [("user", "Which tide?")]
    assert (request.input_tokens, request.output_tokens, request.output_text) == (21, 4, "Ebb.")
    assert (request.finish_reason_raw, request.finish_reason) == ("STOP", "stop")


def test_indexed_attributes_sort_by_number() -> None:
    """Index 10 comes after 2."""
    attributes: dict[str, Any] = {"gen_ai.system": "openai", "gen_ai.request.model": "m"}
    for number in (10, 2, 0):
        attributes[f"gen_ai.prompt.{number}.role"] = "user"
        attributes[f"gen_ai.prompt.{number}.content"] = f"turn {number}"
    assert [text for _, text in turns(read_one(spans(span("01", attributes))))] == [
        "turn 0",
        "turn 2",
        "turn 10",
    ]


def test_attribute_cut_inside_json_is_read_as_far_as_it_goes() -> None:
    """An attribute length limit breaks the JSON; the text before the cut is kept and marked."""
    whole = json.dumps([{"role": "user", "content": "Read this contract " + "clause " * 50}])
    request = read_one(
        spans(
            span(
                "01",
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "m",
                    "gen_ai.input.messages": whole[:200],
                },
            )
        )
    )
    assert request.truncated
    assert turns(request)[0][1].startswith("Read this contract clause")


def test_console_log_records_of_python() -> None:
    """ConsoleLogExporter: one object a record, plain attributes, ISO time."""
    request = read_one(
        {
            "body": {"content": "Which buoy?"},
            "severity_number": 9,
            "attributes": {"gen_ai.system": "openai", "event.name": "gen_ai.user.message"},
            "timestamp": "2026-06-08T16:54:20.031888Z",
            "trace_id": "0x" + TRACE,
            "span_id": "0x00f067aa0ba902b7",
            "resource": {"attributes": {"service.name": "x"}},
        }
    )
    assert turns(request) == [("user", "Which buoy?")]
    assert request.event_time_s == 1780937660.031888
