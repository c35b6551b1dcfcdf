"""Azure: API Management gateway logs, its LLM logs, and Azure OpenAI's RequestResponse logs.

Gateway logs keep bodies as text cut at 8,192 bytes. LLM logs tell one call in several rows with one
CorrelationId, prompts split into chunks by SequenceNumber; a chunk without its neighbours gives
nothing. Event Hub wraps rows as {"records": [...]}.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build, join_response, put_models
from streams.formats.exchange import (
    body_of_text,
    model_in_path,
    path_of,
    put_status,
    settle_outcome,
)
from streams.formats.format import Context, Format
from streams.formats.request_body import put_messages, read_request
from streams.formats.response_body import read_response
from streams.formats.times import epoch_s
from streams.formats.tokens import drop_empty_usage, read_usage
from streams.formats.values import (
    Fields,
    amount,
    count,
    first,
    flag,
    identity,
    json_in,
    mapping,
    text_of,
)
from streams.record import ApiRequest

EXAMPLE = (
    b'{"category":"GatewayLogs","time":"2026-03-01T08:00:00.5000000Z","correlationId":"az-1",'
    b'"callerIpAddress":"192.0.2.20","durationMs":750,"properties":{"apimSubscriptionId":"acct_9",'
    b'"backendRequestBody":"{\\"model\\":\\"m-small\\",\\"messages\\":[{\\"role\\":\\"user\\",'
    b'\\"content\\":\\"Name a bird.\\"}]}","backendResponseBody":"{\\"model\\":\\"m-small\\",'
    b'\\"choices\\":[{\\"finish_reason\\":\\"stop\\",\\"message\\":{\\"content\\":\\"Wren.\\"}}],'
    b'\\"usage\\":{\\"prompt_tokens\\":11,\\"completion_tokens\\":3}}","responseCode":200}}'
)

_ACCOUNTS = (
    "properties.apimSubscriptionId",
    "properties.ApimSubscriptionId",
    "properties.userId",
    "properties.UserId",
    "ApimSubscriptionId",
    "UserId",
    "properties.subscriptionId",
)
_CATEGORIES = (
    "gatewaylogs",
    "gatewayllmlogs",
    "requestresponse",
    "audit",
    "trace",
    "azureopenairequestusage",
)


def recognises(obj: Any) -> bool:
    """Azure Monitor's categories, in rows or in Event Hub's wrapper."""
    if isinstance(obj, list):
        return bool(obj) and all(isinstance(entry, dict) and recognises(entry) for entry in obj)
    if not isinstance(obj, dict):
        return False
    if isinstance(obj.get("records"), list):
        return any(isinstance(entry, dict) and recognises(entry) for entry in obj["records"])
    category = str(first(obj.get("category"), obj.get("Category"), obj.get("Type")) or "").lower()
    return category in _CATEGORIES or category in (
        "apimanagementgatewayllmlog",
        "apimanagementgatewaylogs",
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a gateway row or a correlated group of LLM rows."""
    rows = obj if isinstance(obj, list) else obj.get("records", [obj])
    requests: list[ApiRequest] = []
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if not isinstance(row, dict):
            continue
        properties = _properties(row)
        if "SequenceNumber" in properties or "llm" in str(row.get("category", "")).lower():
            name = (
                identity(
                    first(
                        properties.get("CorrelationId"),
                        row.get("correlationId"),
                        row.get("CorrelationId"),
                    )
                )
                or f"#{len(groups)}"
            )
            groups.setdefault(name, []).append(row)
        elif (request := _gateway(row, properties, context)) is not None:
            requests.append(request)
    joined = [_llm_rows(group, context) for group in groups.values()]
    return requests + [request for request in joined if request is not None]


def _properties(row: dict[str, Any]) -> dict[str, Any]:
    return mapping(row.get("properties")) or row


def _gateway(
    row: dict[str, Any], properties: dict[str, Any], context: Context
) -> ApiRequest | None:
    fields: Fields = {"source": "azure", "provider": "azure"}
    asked = first(
        properties.get("backendRequestBody"),
        properties.get("requestBody"),
        properties.get("BackendRequestBody"),
        properties.get("RequestBody"),
    )
    answer = first(
        properties.get("backendResponseBody"),
        properties.get("responseBody"),
        properties.get("BackendResponseBody"),
        properties.get("ResponseBody"),
    )
    url = text_of(
        first(
            properties.get("backendUrl"),
            properties.get("url"),
            properties.get("BackendUrl"),
            properties.get("Url"),
            row.get("operationName"),
        )
    )
    model = text_of(first(properties.get("modelName"), properties.get("modelDeploymentName")))
    if asked is None and answer is None and model is None and "openai" not in (url or ""):
        return None  # plain HTTP through the same gateway
    if isinstance(asked, str):
        body, cut = body_of_text(asked)
        fields.update(read_request(body or {}))
        if cut:
            fields["truncated"] = True
    elif isinstance(asked, dict):
        fields.update(read_request(asked))
    if answer is not None:
        join_response(fields, read_response(answer))
    if url is not None:
        fields["endpoint"] = path_of(url)
    put_models(fields, fields.get("model") or model or model_in_path(fields.get("endpoint")), None)
    if fields["model"] is None:
        del fields["model"]
    if count(row.get("truncated"), "truncated"):
        fields["truncated"] = True
    put_status(
        first(
            properties.get("responseCode"),
            properties.get("ResponseCode"),
            properties.get("backendResponseCode"),
            row.get("resultSignature"),
            row.get("resultType"),
        ),
        fields,
    )
    if "streamType" in properties and fields.get("stream") is None:
        fields["stream"] = properties["streamType"] == "Streaming"
    _common(row, fields)
    context.put_account(row, fields, *_ACCOUNTS)
    return build(fields)


def _common(row: dict[str, Any], fields: Fields) -> None:
    when = epoch_s(first(row.get("time"), row.get("TimeGenerated"), row.get("timestamp")), "time")
    if when is not None:
        fields["event_time_s"] = when
    event_id = identity(first(row.get("correlationId"), row.get("CorrelationId")))
    if event_id is not None:
        fields["event_id"] = event_id
    if address := text_of(first(row.get("callerIpAddress"), row.get("CallerIpAddress"))):
        fields["client_ip"] = address
    spent = amount(first(row.get("durationMs"), row.get("TotalTime")), "durationMs")
    if spent is not None:
        fields["latency_ms"] = spent
    settle_outcome(fields)


def _llm_rows(rows: list[dict[str, Any]], context: Context) -> ApiRequest | None:
    """Rows of one call in any order: counts in one, text in chunks of the others."""
    rows = sorted(
        rows, key=lambda row: count(_properties(row).get("SequenceNumber"), "SequenceNumber") or 0
    )
    merged: dict[str, Any] = {}
    asked = answered = ""
    for row in rows:
        properties = _properties(row)
        merged.update({name: value for name, value in properties.items() if value is not None})
        asked += text_of(properties.get("RequestMessages")) or ""
        answered += text_of(properties.get("ResponseMessages")) or ""
    fields: Fields = {"source": "azure", "provider": "azure"}
    if asked:
        parsed = json_in(asked)
        if isinstance(parsed, list):
            put_messages(parsed, fields)
        elif isinstance(parsed, dict):
            fields.update(read_request(parsed))
        else:
            fields["truncated"] = True
    if answered:
        parsed = json_in(answered)
        if isinstance(parsed, list):
            join_response(
                fields,
                read_response(
                    {"choices": [{"message": entry} for entry in parsed if isinstance(entry, dict)]}
                ),
            )
    model = text_of(merged.get("ModelName")) or text_of(merged.get("DeploymentName"))
    if model is None and "messages" not in fields:
        return None  # one chunk alone
    if model is not None:
        fields["model"] = model
    fields.update(
        read_usage(
            {
                "prompt_tokens": merged.get("PromptTokens"),
                "completion_tokens": merged.get("CompletionTokens"),
            },
            "tokens",
        )
    )
    drop_empty_usage(fields)
    if (streamed := flag(merged.get("IsStreamCompletion"))) is not None:
        fields["stream"] = streamed
    _common(rows[0], fields)
    if (event_id := identity(merged.get("RequestId"))) is not None:
        fields.setdefault("event_id", event_id)
    context.put_account(rows[0], fields, *_ACCOUNTS)
    return build(fields)


FORMAT = Format("azure", recognises, decode, EXAMPLE)
