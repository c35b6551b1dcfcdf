"""Bedrock's envelopes and provider-native bodies."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from tests.streams.formats.read_one import read_all, read_one, turns

RECORD: dict[str, Any] = {
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "timestamp": "2026-09-08T12:10:33Z",
    "accountId": "444455556666",
    "region": "eu-west-1",
    "requestId": "r-1",
    "operation": "InvokeModel",
    "modelId": "acme.m-large-v1:0",
    "identity": {"arn": "arn:aws:iam::444455556666:user/reader"},
    "input": {
        "inputContentType": "application/json",
        "inputTokenCount": 9,
        "inputBodyJson": {"messages": [{"role": "user", "content": "Which tide?"}]},
    },
    "output": {
        "outputContentType": "application/json",
        "outputTokenCount": 4,
        "outputBodyJson": {
            "content": [{"type": "text", "text": "Ebb."}],
            "stop_reason": "end_turn",
        },
    },
}


def with_bodies(operation: str, asked: object, answered: object) -> dict[str, Any]:
    """The record with other bodies."""
    return {
        **RECORD,
        "operation": operation,
        "input": {"inputBodyJson": asked, "inputTokenCount": 9},
        "output": {"outputBodyJson": answered, "outputTokenCount": 4},
    }


def cloudwatch(*messages: str) -> dict[str, Any]:
    """A subscription's data message."""
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "444455556666",
        "logGroup": "g",
        "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": [
            {"id": str(at), "timestamp": 1788869433000, "message": message}
            for at, message in enumerate(messages)
        ],
    }


def packed(document: object) -> str:
    """Base64 of gzip."""
    return base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()


@pytest.mark.parametrize(
    "envelope",
    [
        RECORD,
        [RECORD],
        json.dumps(RECORD),
        cloudwatch(json.dumps(RECORD)),
        {"awslogs": {"data": packed(cloudwatch(json.dumps(RECORD)))}},
        {"records": [{"recordId": "1", "data": packed(cloudwatch(json.dumps(RECORD)))}]},
        {"Records": [{"kinesis": {"data": packed(cloudwatch(json.dumps(RECORD)))}}]},
        packed(RECORD),
        base64.b64encode(packed(RECORD).encode()).decode(),
        {"@timestamp": "2026-09-08T12:10:33Z", "@message": json.dumps(RECORD)},
        {"timestamp": 1788869433000, "message": json.dumps(RECORD)},
        json.dumps(RECORD, indent=2) + "\n" + '{"schemaType": "Model',
    ],
)
def test_every_envelope_gives_the_same_request(envelope: object) -> None:
    """Direct, arrays, text in cells, base64 gzip once and twice, a cut tail: one request."""
    request = read_one(envelope)
    assert request.account == RECORD["identity"]["arn"]
    assert (request.event_time_s, request.input_tokens, request.output_tokens) == (
        1788869433.0,
        9,
        4,
    )
    assert turns(request) == [("user", "Which tide?")]


def test_control_messages_give_nothing() -> None:
    """CloudWatch's probe of a subscription is no dead letter."""
    control = {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: check"}],
    }
    assert read_all(control) == []
    assert read_all(packed(control)) == []


def test_converse_stream_events() -> None:
    """Streaming operations log an array of events; guarded text counts, cache points do not."""
    request = read_one(
        with_bodies(
            "ConverseStream",
            {
                "system": [{"text": "Be brief."}],
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"guardContent": {"text": {"text": "Which tide?"}}},
                            {
                                "document": {
                                    "name": "d",
                                    "format": "pdf",
                                    "source": {"bytes": "AAAA"},
                                }
                            },
                        ],
                    }
                ],
                "inferenceConfig": {"temperature": 0.1, "topP": 0.9, "maxTokens": 50},
                "toolConfig": {
                    "tools": [{"toolSpec": {"name": "a"}}, {"cachePoint": {"type": "default"}}]
                },
            },
            [
                {"messageStart": {"role": "assistant"}},
                {"contentBlockDelta": {"delta": {"text": "Eb"}, "contentBlockIndex": 0}},
                {"contentBlockDelta": {"delta": {"text": "b."}, "contentBlockIndex": 0}},
                {"messageStop": {"stopReason": "max_tokens"}},
                {
                    "metadata": {
                        "usage": {"inputTokens": 9, "outputTokens": 4, "cacheReadInputTokens": 2}
                    }
                },
            ],
        )
    )
    assert (request.stream, request.system, request.output_text) == (True, "Be brief.", "Ebb.")
    assert turns(request) == [("user", "Which tide?")]
    assert (request.temperature, request.top_p, request.max_tokens, request.tool_count) == (
        0.1,
        0.9,
        50,
        1,
    )
    assert (request.finish_reason_raw, request.finish_reason) == ("max_tokens", "length")
    assert (request.cached_tokens, request.cached_in_input) == (2, False)


@pytest.mark.parametrize(
    ("asked", "answered", "reason"),
    [
        (
            {"inputText": "Which tide?", "textGenerationConfig": {"maxTokenCount": 50}},
            {
                "inputTextTokenCount": 9,
                "results": [{"tokenCount": 4, "outputText": "Ebb.", "completionReason": "FINISH"}],
            },
            "FINISH",
        ),
        (
            {"prompt": "Which tide?", "max_gen_len": 50},
            {
                "generation": "Ebb.",
                "prompt_token_count": 9,
                "generation_token_count": 4,
                "stop_reason": "stop",
            },
            "stop",
        ),
        (
            {"prompt": "\n\nHuman: Which tide?\n\nAssistant:", "max_tokens_to_sample": 50},
            {"completion": "Ebb.", "stop_reason": "stop_sequence"},
            "stop_sequence",
        ),
        (
            {"message": "Which tide?", "max_tokens": 50},
            {"text": "Ebb.", "finish_reason": "COMPLETE"},
            "COMPLETE",
        ),
    ],
)
def test_native_bodies(asked: object, answered: object, reason: str) -> None:
    """Titan, Llama, old Claude and Cohere bodies."""
    request = read_one(with_bodies("InvokeModel", asked, answered))
    assert turns(request) == [("user", "Which tide?")]
    assert (request.output_text, request.max_tokens) == ("Ebb.", 50)
    assert (request.input_tokens, request.output_tokens) == (9, 4)
    assert (request.finish_reason_raw, request.finish_reason) == (reason, "stop")


def test_body_in_s3_is_absent_text() -> None:
    """A large body is a path: the text is unknown, the counts are not."""
    request = read_one({**RECORD, "input": {"inputBodyS3Path": "s3://b/k", "inputTokenCount": 90}})
    assert (request.messages, request.n_messages, request.input_tokens) == (None, None, 90)
