"""LiteLLM's payloads in the dialects that the samples do not cover."""

from __future__ import annotations

from tests.streams.formats.read_one import read_all, read_one, turns

PAYLOAD = {
    "id": "chatcmpl-1",
    "litellm_call_id": "call-1",
    "call_type": "acompletion",
    "stream": True,
    "status": "success",
    "custom_llm_provider": "openai",
    "model": "openai/m-large",
    "model_group": "m-large",
    "startTime": 1795570842.32,
    "completionStartTime": 1795570842.62,
    "endTime": 1795570843.82,
    "requester_ip_address": "203.0.113.9",
    "metadata": {
        "user_api_key_hash": "9c1a",
        "user_api_key_org_id": "org_7",
        "user_api_key_end_user_id": "eu-4",
        "user_api_key_request_route": "/v1/chat/completions",
        "requester_custom_headers": {
            "x-stainless-lang": "python",
            "x-stainless-package-version": "3.1.0",
        },
        "usage_object": {
            "prompt_tokens": 310,
            "completion_tokens": 640,
            "prompt_tokens_details": {"cached_tokens": 256},
            "completion_tokens_details": {"reasoning_tokens": 512},
        },
    },
    "model_parameters": {
        "temperature": 0.9,
        "n": 4,
        "logprobs": True,
        "top_logprobs": 5,
        "max_tokens": 900,
        "reasoning_effort": "high",
        "stream": True,
        "tools": [{"type": "function", "function": {"name": "f"}}],
    },
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Name a lock gate."},
    ],
    "response": {"choices": [{"finish_reason": "stop", "message": {"content": "Mitre."}}]},
    "prompt_tokens": 310,
    "completion_tokens": 640,
}


def test_standard_logging_payload_gives_every_field() -> None:
    """Times, counts, parameters, identities and outcome of the main dialect are all read."""
    request = read_one(PAYLOAD)
    assert request.event_time_s == 1795570842.32
    assert (request.account, request.organisation, request.key) == ("9c1a", "org_7", "9c1a")
    assert (request.provider, request.model, request.endpoint) == (
        "openai",
        "openai/m-large",
        "/v1/chat/completions",
    )
    assert turns(request) == [("system", "Be brief."), ("user", "Name a lock gate.")]
    assert (request.temperature, request.n, request.top_logprobs, request.max_tokens) == (
        0.9,
        4,
        5,
        900,
    )
    assert (request.logprobs, request.stream, request.reasoning_effort) == (True, True, "high")
    assert (request.input_tokens, request.cached_tokens, request.cached_in_input) == (
        310,
        256,
        True,
    )
    assert (request.output_tokens, request.reasoning_tokens) == (640, 512)
    assert (request.finish_reason_raw, request.status, request.tool_count) == ("stop", "success", 1)
    assert (request.latency_ms, request.ttft_ms) == (1500.0, 300.0)
    assert request.sdk == "python/3.1.0"
    assert request.end_user not in (None, "eu-4")
    assert request.client_ip != "203.0.113.9"
    assert request.network == "203.0.113.0/24"


def test_array_of_generic_api_gives_each_payload() -> None:
    """The generic_api callback posts arrays; a rate limit in it keeps its code."""
    failure = {
        **PAYLOAD,
        "litellm_call_id": "call-2",
        "status": "failure",
        "response": {},
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "metadata": {"user_api_key_hash": "9c1a"},
        "error_information": {"error_code": "429", "error_class": "RateLimitError"},
    }
    first, second = read_all([PAYLOAD, failure])
    assert first.status == "success"
    assert (second.status, second.error_code, second.input_tokens) == ("failure", "429", None)


def test_redaction_constant_is_no_text() -> None:
    """One text shared by all accounts must never look like a template."""
    request = read_one(
        {**PAYLOAD, "messages": [{"role": "user", "content": "redacted-by-litellm"}]}
    )
    assert turns(request) == [("user", "")]


def test_legacy_bucket_payload() -> None:
    """The old S3 payload: camelCase settings, usage apart, the answer as a Python repr."""
    request = read_one(
        {
            "id": "chatcmpl-2",
            "call_type": "acompletion",
            "cache_hit": None,
            "startTime": "2026-05-01 10:00:00.500000",
            "endTime": "2026-05-01 10:00:01.000000",
            "model": "m-small",
            "user": "acct_2",
            "modelParameters": {"temperature": 0.2},
            "messages": [{"role": "user", "content": "Count the buoys."}],
            "response": "ModelResponse(id='chatcmpl-2', choices=[Choices(finish_reason='length', "
            "index=0, message=Message(content='Six.', role='assistant'))], "
            "model='m-small')",
            "usage": {"prompt_tokens": 12, "completion_tokens": 3},
            "metadata": {},
        }
    )
    assert request.event_time_s == 1777629600.5
    assert (request.account, request.temperature) == ("acct_2", 0.2)
    assert (request.finish_reason_raw, request.output_text) == ("length", "Six.")
    assert (request.input_tokens, request.output_tokens) == (12, 3)


def test_application_log_line() -> None:
    """A debug line with the call as Python code; the prompt cannot fake its fields."""
    request = read_one(
        "2026-05-01 10:00:00,250 - LiteLLM:DEBUG: utils.py:300 - Request to litellm: "
        "litellm.completion(model='m-small', messages=[{'role': 'user', 'content': "
        "\"say {'model': 'fake'}\"}], temperature=0.3, stream=True)"
    )
    assert (request.model, request.temperature, request.stream) == ("m-small", 0.3, True)
    assert turns(request) == [("user", "say {'model': 'fake'}")]
    assert request.event_time_s == 1777629600.25


def test_anthropic_route_without_parameters() -> None:
    """/v1/messages is logged with empty parameters and no system prompt: absent, not zero."""
    request = read_one(
        {
            **PAYLOAD,
            "call_type": "anthropic_messages",
            "model_parameters": {},
            "stream": None,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Which knot?"}]}],
            "response": {
                "type": "message",
                "content": [{"type": "text", "text": "Bowline."}],
                "stop_reason": "end_turn",
            },
        }
    )
    assert (request.temperature, request.max_tokens, request.system) == (None, None, None)
    assert turns(request) == [("user", "Which knot?")]
    assert (request.finish_reason_raw, request.finish_reason) == ("end_turn", "stop")
