"""Anthropic-shaped logs: refusals, fallbacks, streams, batches, Claude Code."""

from __future__ import annotations

import json
from typing import Any

from tests.streams.formats.read_one import read_all, read_one, turns


def exchange(answer: object, status: int = 200, **body: Any) -> dict[str, Any]:
    """A gateway's log of one exchange."""
    return {
        "timestamp": "2026-12-06T00:00:00Z",
        "user_id": "acct_1",
        "request": {
            "method": "POST",
            "path": "/v1/messages",
            "headers": {},
            "body": {
                "model": "m-asked",
                "max_tokens": 64,
                "messages": [{"role": "user", "content": "Name a knot."}],
                **body,
            },
        },
        "response": {"status": status, "body": answer},
    }


def message(**more: Any) -> dict[str, Any]:
    """An answer."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-asked",
        "content": [{"type": "text", "text": "Bowline."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 15, "output_tokens": 6},
        **more,
    }


def test_unknown_refusal_category_is_kept() -> None:
    """A refusal is HTTP 200 with stop_details; a category of tomorrow is kept as it is."""
    request = read_one(
        exchange(
            message(
                content=[],
                stop_reason="refusal",
                stop_details={"type": "refusal", "category": "brand_new", "explanation": "x"},
            )
        )
    )
    assert (request.finish_reason_raw, request.finish_reason, request.refusal_category) == (
        "refusal",
        "refusal",
        "brand_new",
    )
    assert (request.status, request.error_code) == (200, None)


def test_fallback_keeps_both_models_and_the_refusal() -> None:
    """The served model differs from the asked one; the refused attempt's category stays."""
    request = read_one(
        exchange(
            message(
                model="m-fallback",
                content=[
                    {"type": "fallback", "stop_details": {"type": "refusal", "category": "cyber"}},
                    {"type": "text", "text": "Bowline."},
                ],
                usage={
                    "input_tokens": 15,
                    "output_tokens": 6,
                    "iterations": [
                        {"type": "message", "output_tokens": 1},
                        {"type": "fallback_message", "output_tokens": 5},
                    ],
                },
            ),
            fallbacks="default",
        )
    )
    assert (request.model, request.model_served) == ("m-asked", "m-fallback")
    assert (request.refusal_category, request.output_text) == ("cyber", "Bowline.")


def test_refusal_in_a_stream() -> None:
    """In streams the category comes with message_delta, in server-sent events too."""
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {
                "model": "m-asked",
                "usage": {"input_tokens": 15, "cache_read_input_tokens": 900, "output_tokens": 1},
            },
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm"},
        },
        {
            "type": "message_delta",
            "delta": {
                "stop_reason": "refusal",
                "stop_details": {"type": "refusal", "category": "bio"},
            },
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    for answer in (events, text):
        request = read_one(exchange(answer))
        assert (request.finish_reason_raw, request.refusal_category) == ("refusal", "bio")
        assert (request.input_tokens, request.cached_tokens, request.cached_in_input) == (
            15,
            900,
            False,
        )
        assert (request.output_tokens, request.stream, request.output_text) == (2, True, None)


def test_error_inside_a_stream() -> None:
    """HTTP 200 and an error event: the partial text and the error are both kept."""
    request = read_one(
        exchange(
            'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
            '{"type":"text_delta","text":"Bow"}}\n\nevent: error\ndata: {"type":"error","error":'
            '{"type":"overloaded_error","message":"x"}}\n\n'
        )
    )
    assert (request.status, request.error_code, request.output_text) == (
        200,
        "overloaded_error",
        "Bow",
    )


def test_tool_results_become_tool_entries() -> None:
    """Text beside results stays the user's; thinking is left out."""
    request = read_one(
        exchange(
            message(),
            messages=[
                {"role": "user", "content": "Read page 3."},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "t", "signature": "s"},
                        {"type": "tool_use", "id": "1", "name": "r", "input": {}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "1",
                            "content": [{"type": "text", "text": "wind"}],
                        },
                        {"type": "text", "text": "Go on."},
                    ],
                },
            ],
        )
    )
    assert turns(request) == [
        ("user", "Read page 3."),
        ("assistant", ""),
        ("tool", "wind"),
        ("user", "Go on."),
    ]
    assert request.n_messages == 3


def test_batch_lines() -> None:
    """Requests of a batch, succeeded and errored results."""
    create = {
        "requests": [
            {
                "custom_id": str(at),
                "params": {
                    "model": "m",
                    "max_tokens": 5,
                    "messages": [{"role": "user", "content": f"q{at}"}],
                },
            }
            for at in range(3)
        ]
    }
    assert [turns(request)[0][1] for request in read_all(create)] == ["q0", "q1", "q2"]
    good = read_one({"custom_id": "1", "result": {"type": "succeeded", "message": message()}})
    assert (good.status, good.output_tokens, good.messages) == ("success", 6, None)
    bad = read_one(
        {
            "custom_id": "2",
            "result": {
                "type": "errored",
                "error": {
                    "type": "error",
                    "error": {"type": "invalid_request_error", "message": "x"},
                },
            },
        }
    )
    assert (bad.status, bad.error_code) == ("failure", "invalid_request_error")
    expired = read_one({"custom_id": "3", "result": {"type": "expired"}})
    assert expired.error_code == "expired"


def test_claude_code_lines() -> None:
    """Session lines: assistant lines are requests; refusal notes keep the asked model."""
    line = {
        "type": "assistant",
        "sessionId": "s",
        "requestId": "req_1",
        "timestamp": "2026-07-02T08:00:00.123Z",
        "message": message(),
    }
    assert read_one(line).event_id == "req_1"
    assert (
        read_all({"type": "user", "sessionId": "s", "message": {"role": "user", "content": "x"}})
        == []
    )
    note = read_one(
        {
            "type": "system",
            "subtype": "model_refusal_fallback",
            "original_model": "m-a",
            "request_id": "req_2",
            "api_refusal_category": "reasoning_extraction",
        }
    )
    assert (note.model, note.refusal_category, note.finish_reason) == (
        "m-a",
        "reasoning_extraction",
        "refusal",
    )
