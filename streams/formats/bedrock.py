"""Amazon Bedrock model invocation logs, as delivered: direct, S3 arrays, CloudWatch, Firehose.

Bodies are the provider's own (Anthropic, Converse, Titan, Llama ...); streaming operations log an
array of events. `inputTokenCount` excludes cached tokens. CloudWatch and Kinesis wrap records as
JSON text, Firehose and subscriptions as base64 of gzip, sometimes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streams.errors import MalformedRecord
from streams.formats.assemble import build, join_response
from streams.formats.aws_envelopes import records_in
from streams.formats.errors_in import read_error
from streams.formats.exchange import body_of_text
from streams.formats.format import Context, Format
from streams.formats.request_body import read_request
from streams.formats.response_body import read_response
from streams.formats.times import epoch_s
from streams.formats.tokens import drop_empty_usage, read_usage
from streams.formats.values import Fields, amount, identity, mapping, text_of
from streams.record import ApiRequest

EXAMPLE = (
    b'{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"2026-03-01T08:00:00Z",'
    b'"accountId":"444455556666","identity":{"arn":"arn:aws:iam::444455556666:user/reader"},'
    b'"region":"eu-west-1","requestId":"r-1","operation":"Converse","modelId":"m-small-v1:0",'
    b'"input":{"inputBodyJson":{"messages":[{"role":"user","content":[{"text":"Name a bird."}]}],'
    b'"inferenceConfig":{"maxTokens":90}},"inputTokenCount":11},"output":{"outputBodyJson":'
    b'{"output":{"message":{"role":"assistant","content":[{"text":"Wren."}]}},"stopReason":'
    b'"end_turn"},"outputTokenCount":3}}'
)


def is_invocation(record: object) -> bool:
    """The record's own marks."""
    return isinstance(record, dict) and (
        record.get("schemaType") == "ModelInvocationLog"
        or (
            "modelId" in record
            and "operation" in record
            and ("input" in record or "output" in record)
        )
    )


def recognises(obj: Any) -> bool:
    """An invocation record, alone or inside one of the envelopes AWS puts around it."""
    if is_invocation(obj):
        return True
    if isinstance(obj, str | list | dict):
        found = records_in(obj)
        return found is not None and (
            any(is_invocation(record) for record in found.records) or found.control
        )
    return False


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a record; control messages and foreign lines give none."""
    return [_read(record, context) for record in _records(obj)]


def _records(obj: Any) -> Iterator[dict[str, Any]]:
    if is_invocation(obj):
        yield obj
        return
    found = records_in(obj)
    if found is None:
        raise MalformedRecord("", "a ModelInvocationLog record", type(obj).__name__)
    for record in found.records:
        if is_invocation(record):
            yield record


def _read(record: dict[str, Any], context: Context) -> ApiRequest:
    given, taken = mapping(record.get("input")), mapping(record.get("output"))
    fields: Fields = {"source": "bedrock", "provider": "bedrock"}
    body, cut = _body(given.get("inputBodyJson", given.get("inputBody")))
    if body is not None:
        fields.update(read_request(body))
    if cut:
        fields["truncated"] = True
    model = text_of(record.get("modelId")) or text_of(fields.get("model"))
    if model is not None:
        fields["model"] = model.rsplit("/", 1)[-1] if model.startswith("arn:") else model
    answer = taken.get("outputBodyJson", taken.get("outputBody"))
    if answer is not None:
        response = read_response(answer)
        response.pop("model", None)  # the model's own name, not another model
        join_response(fields, response)
    _read_counts(given, taken, fields)
    _read_outcome(record, fields)
    when = epoch_s(record.get("timestamp"), "timestamp")
    if when is not None:
        fields["event_time_s"] = when
    if (request_id := identity(record.get("requestId"))) is not None:
        # an agent's calls may share one request id
        fields["event_id"] = f"{request_id}/{record.get('timestamp', '')}"
    if (owner := identity(record.get("accountId"))) is not None:
        fields["organisation"] = owner
    context.put_account(record, fields, "identity.arn", "accountId")
    return build(fields)


def _body(value: object) -> tuple[dict[str, Any] | None, bool]:
    if isinstance(value, dict):
        return value, False
    if isinstance(value, list):
        return ({"messages": value}, False) if value else (None, False)
    if isinstance(value, str) and value:
        return body_of_text(value)
    return None, False


def _read_counts(given: dict[str, Any], taken: dict[str, Any], fields: Fields) -> None:
    """The record's counts beat the body's: they are what is billed."""
    usage = read_usage({**given, **taken}, "input/output")
    if not usage.get("output_tokens"):
        usage.pop("output_tokens", None)
    if not usage.get("input_tokens"):
        fields.setdefault("input_tokens", usage.pop("input_tokens", None))
        if fields["input_tokens"] is None:
            del fields["input_tokens"]
    fields.update(usage)
    drop_empty_usage(fields)


def _read_outcome(record: dict[str, Any], fields: Fields) -> None:
    operation = record.get("operation")
    if isinstance(operation, str):
        fields["endpoint"] = operation
        fields["stream"] = "Stream" in operation
    code = identity(record.get("errorCode"))
    if code is not None:
        fields["error_code"] = code
    elif record.get("error"):
        read_error(record["error"], fields)
    fields["status"] = "failure" if "error_code" in fields else "success"
    latency = amount(record.get("latencyMs"), "latencyMs")
    if latency is not None:
        fields["latency_ms"] = latency


FORMAT = Format("bedrock", recognises, decode, EXAMPLE)
