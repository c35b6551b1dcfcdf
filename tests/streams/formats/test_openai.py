"""OpenAI-shaped exchanges: errors inside HTTP 200, list prompts, batches, streams, cut bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.intake import IntakeSettings
from tests.streams.formats.read_one import read_all, read_one, turns


def exchange(
    body: object,
    answer: object = None,
    status: int = 200,
    path: str = "/v1/chat/completions",
    **more: Any,
) -> dict[str, Any]:
    """A gateway's log of one exchange."""
    return {
        "timestamp": "2026-02-13T15:01:07Z",
        "user_id": "acct_1",
        "request": {"method": "POST", "path": path, "headers": {}, "body": body},
        "response": {"status": status, "body": answer},
        **more,
    }


def chat(content: object) -> dict[str, Any]:
    """A chat body with one user message."""
    return {"model": "m-large", "messages": [{"role": "user", "content": content}]}


def test_list_of_prompts_is_one_request() -> None:
    """Completions take several prompts, or token ids, in one request."""
    request = read_one(
        exchange(
            {"model": "m", "prompt": ["one", "two"], "logprobs": 5, "logit_bias": {"1": 2}},
            path="/v1/completions",
        )
    )
    assert turns(request) == [("user", "one"), ("user", "two")]
    assert (request.n_messages, request.logprobs, request.top_logprobs) == (2, True, 5)
    assert request.logit_bias_size == 1
    assert turns(read_one(exchange({"model": "m", "prompt": [[1, 2], [3]]}))) == [
        ("user", ""),
        ("user", ""),
    ]
    assert turns(read_one(exchange({"model": "m", "prompt": [1, 2, 3]}))) == [("user", "")]


def test_parts_data_urls_and_null_content() -> None:
    """Text parts are joined, pictures dropped, a call without text stays an entry."""
    picture = "data:image/png;base64," + "A" * 4000
    request = read_one(
        exchange(
            {
                "model": "m",
                "messages": [
                    {"role": "developer", "content": "Be brief."},
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What is"},
                            "this?",
                            {"type": "image_url", "image_url": {"url": picture}},
                        ],
                    },
                    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
                    {"role": "tool", "content": f"seen ![x]({picture})"},
                ],
            }
        )
    )
    assert turns(request) == [
        ("developer", "Be brief."),
        ("user", "What is\nthis?"),
        ("assistant", ""),
        ("tool", "seen ![x]()"),
    ]


def test_responses_body_with_tool_output_last() -> None:
    """Responses: instructions apart, function outputs are tool entries, status as the reason."""
    request = read_one(
        exchange(
            {
                "model": "m",
                "instructions": "Be brief.",
                "reasoning": {"effort": "low"},
                "text": {"format": {"type": "json_schema", "name": "x"}},
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "Tide?"}]},
                    {"type": "function_call", "name": "tide", "arguments": "{}", "call_id": "c"},
                    {"type": "function_call_output", "call_id": "c", "output": "ebb"},
                ],
            },
            {
                "object": "response",
                "status": "completed",
                "model": "m",
                "output": [
                    {"type": "reasoning", "summary": []},
                    {"type": "message", "content": [{"type": "output_text", "text": "Ebb."}]},
                ],
                "usage": {
                    "input_tokens": 30,
                    "input_tokens_details": {"cached_tokens": 8},
                    "output_tokens": 12,
                    "output_tokens_details": {"reasoning_tokens": 9},
                },
            },
            path="/v1/responses",
        )
    )
    assert request.system == "Be brief."
    assert request.reasoning_effort == "low"
    assert turns(request) == [("user", "Tide?"), ("assistant", ""), ("tool", "ebb")]
    assert (request.n_messages, request.finish_reason_raw, request.output_text) == (
        3,
        "completed",
        "Ebb.",
    )
    assert (request.cached_tokens, request.reasoning_tokens, request.cached_in_input) == (
        8,
        9,
        True,
    )
    assert request.response_format is not None
    assert "json_schema" in request.response_format


def test_stream_with_usage_in_a_chunk_without_choices() -> None:
    """The last chunk holds the usage and no choices; zero usage means unknown."""
    lines = [
        {"model": "m-served", "choices": [{"index": 0, "delta": {"content": "Eb"}}]},
        {
            "model": "m-served",
            "choices": [{"index": 0, "delta": {"content": "b."}, "finish_reason": "stop"}],
        },
        {"model": "m-served", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}},
    ]
    text = "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"
    request = read_one(exchange({**chat("Tide?"), "stream": True}, text))
    assert (request.output_text, request.input_tokens, request.output_tokens) == ("Ebb.", 9, 4)
    assert (request.model, request.model_served, request.stream) == ("m-large", "m-served", True)
    empty = text.replace('"prompt_tokens": 9', '"prompt_tokens": 0').replace(
        '"completion_tokens": 4', '"completion_tokens": 0'
    )
    assert read_one(exchange(chat("Tide?"), empty)).input_tokens is None


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (
            {"error": {"message": "no", "type": "invalid_request_error", "code": "invalid_prompt"}},
            400,
            "invalid_prompt",
        ),
        (
            {"error": {"message": "slow down", "type": "rate_limit_error", "code": None}},
            429,
            "rate_limit_error",
        ),
        ("<html><body>Bad gateway</body></html>", 502, "502"),
        ("{'error': {'message': 'x', 'code': 'overloaded'}}", 529, "overloaded"),
        ('data: {"error": {"code": "server_error", "message": "gone"}}\n\n', 200, "server_error"),
        (
            {
                "choices": [
                    {
                        "finish_reason": "error",
                        "error": {"code": 502, "message": "x"},
                        "message": {"content": ""},
                    }
                ]
            },
            200,
            "502",
        ),
        (None, 424, "424"),
    ],
)
def test_errors_in_all_their_places(answer: object, status: int, code: str) -> None:
    """JSON, web pages, Python reprs, error chunks and choices inside HTTP 200, nothing at all."""
    request = read_one(exchange(chat("Tide?"), answer, status))
    assert (request.status, request.error_code) == (status, code)
    assert turns(request) == [("user", "Tide?")]


def test_refusal_block_and_content_filter() -> None:
    """A refusal and a filter verdict are kept beside the raw reason."""
    refused = read_one(
        exchange(
            chat("x"),
            {
                "choices": [
                    {"finish_reason": "stop", "message": {"content": None, "refusal": "I cannot."}}
                ]
            },
        )
    )
    assert (refused.refusal_category, refused.finish_reason_raw) == ("refusal", "stop")
    rewritten = read_one(
        exchange(
            chat("x"),
            {"error": {"code": "refusal", "refusal_reason": "cyber_policy", "message": "no"}},
            400,
        )
    )
    assert (rewritten.error_code, rewritten.refusal_category) == ("refusal", "cyber_policy")


def test_batch_input_line() -> None:
    """A line of a batch's input file has a body and no answer or time."""
    request = read_one(
        {
            "custom_id": "r-1",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {**chat("Tide?"), "max_completion_tokens": 7},
        }
    )
    assert (request.event_time_s, request.max_tokens, request.status) == (None, 7, None)
    assert turns(request) == [("user", "Tide?")]


def test_body_cut_inside_its_json() -> None:
    """The record is whole, the body inside it is not: text is kept and marked."""
    body = json.dumps(chat("Read this contract. " + "Clause. " * 100))
    request = read_one(exchange(body[:300], None))
    assert request.truncated
    assert turns(request)[0][1].startswith("Read this contract. Clause.")


def test_plain_http_of_the_gateway_gives_nothing() -> None:
    """Health checks and model lists are no requests; a call without its body is one."""
    assert (
        read_all(
            {
                "timestamp": "2026-02-13T15:01:07Z",
                "method": "GET",
                "path": "/healthz",
                "status": 200,
            }
        )
        == []
    )
    bare = read_one(
        {
            "timestamp": "2026-02-13T15:01:07Z",
            "account": "a",
            "method": "POST",
            "path": "/v1/chat/completions",
            "status": 200,
        }
    )
    assert (bare.account, bare.messages, bare.status) == ("a", None, 200)


def test_shape_of_the_captures() -> None:
    """Epoch seconds, bodies side by side, SDK headers, seconds of latency, an end user."""
    request = read_one(
        {
            "ts": 1795575381.026315,
            "account": "acct_1",
            "path": "/v1/chat/completions",
            "client_ip": "192.0.2.7",
            "user_agent": "OpenAI/Python 3.3.0",
            "headers": {
                "user-agent": "OpenAI/Python 3.3.0",
                "x-stainless-lang": "python",
                "x-stainless-package-version": "3.3.0",
            },
            "body": {**chat("Tide?"), "user": "eu-1", "n": 2, "seed": 7},
            "response": {"status": 429, "usage": {"prompt_tokens": 79}},
            "latency_s": 0.5,
        }
    )
    assert (request.event_time_s, request.account, request.status) == (
        1795575381.026315,
        "acct_1",
        429,
    )
    assert (request.error_code, request.input_tokens, request.latency_ms) == ("429", 79, 500.0)
    assert (request.sdk, request.n, request.seed) == ("python/3.3.0", 2, 7)
    assert request.end_user is not None
    assert len(request.end_user) == 32


def test_account_from_beats_the_formats_own_path() -> None:
    """Dotted paths, list positions, JSON inside a text, header names without regard to case."""
    raw = exchange(chat("Tide?"), meta='{"who": [{"id": 17}]}')
    raw["request"]["headers"] = {"X-Customer-Id": "cust-2"}
    for path, want in (
        ("meta(json).who[0].id", "17"),
        ("request.headers.x-customer-id", "cust-2"),
        ("x-customer-id", "cust-2"),
        ("nowhere", "acct_1"),
    ):
        request = read_one(raw, IntakeSettings(account_from=(path,)))
        assert request.account == want
