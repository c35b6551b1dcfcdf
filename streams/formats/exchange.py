"""An exchange as gateways log it: an envelope around a request body and an answer.

The names of the envelope's fields differ; where several are in use they are tried in order. Used
by the OpenAI and Anthropic formats and by gateways that keep the bodies.
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams.formats.assemble import build, join_response
from streams.formats.cut_json import read_cut
from streams.formats.errors_in import read_error
from streams.formats.format import Context
from streams.formats.headers import lowered, read_headers
from streams.formats.request_body import looks_like_request, read_request
from streams.formats.response_body import HTML, read_response
from streams.formats.times import epoch_s, span_ms
from streams.formats.values import Fields, amount, count, first, flag, identity, mapping, text_of
from streams.record import ApiRequest

TIMES = (
    "ts",
    "timestamp",
    "start_time",
    "started_at",
    "request_at",
    "received_at",
    "startTime",
    "request_timestamp",
    "requested_at",
    "start",
    "time",
    "@timestamp",
    "created_at",
    "createdAt",
    "datetime",
    "event_time",
    "date",
)
ENDS = ("end_time", "ended_at", "endTime", "completed_at", "response_time_at")
IDS = ("request_id", "event_id", "id", "requestId", "log_id")
ACCOUNTS = (
    "account",
    "account_id",
    "user_id",
    "customer_id",
    "consumer.custom_id",
    "consumer.username",
    "accountId",
    "customer",
    "client_id",
    "project_id",
    "team_id",
)
KEYS = (
    "key",
    "key_id",
    "api_key_id",
    "api_key",
    "api_key_hash",
    "key_hash",
    "virtual_key",
    "token_name",
)


def read_exchange(
    raw: dict[str, Any], context: Context, source: str, accounts: tuple[str, ...] = ACCOUNTS
) -> ApiRequest:
    """One exchange as one request.

    Raises:
        MalformedRecord: a time, count or status of the envelope is none.
    """
    body, body_cut = request_body_of(raw)
    fields = read_request(body) if body is not None else {}
    if body_cut:
        fields["truncated"] = True
    fields["source"] = source
    answer, status = response_of(raw, body)
    if answer is not None:
        join_response(fields, read_response(answer))
    read_envelope(raw, fields, status)
    context.put_account(raw, fields, *accounts)
    return build(fields)


def request_body_of(raw: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """The request body in the envelope, and whether the log cut it."""
    request = raw.get("request")
    for value in (
        raw.get("body"),
        raw.get("request_body"),
        raw.get("requestBody"),
        request.get("body") if isinstance(request, dict) else None,
        request,
        raw.get("params"),
        raw.get("input"),
        raw.get("request_payload"),
        raw,
    ):
        if isinstance(value, dict):
            if (
                value is not raw.get("body")
                and value is not raw.get("request_body")
                and (not looks_like_request(value))
                and (not isinstance(request, dict) or value is not request.get("body"))
            ):
                continue
            return value, False
        if isinstance(value, str) and value.lstrip()[:1] == "{":
            body, cut = body_of_text(value)
            if body is not None:
                return body, cut
            return None, True
    return None, False


def body_of_text(text: str) -> tuple[dict[str, Any] | None, bool]:
    """A body logged as text, and whether it was cut inside its JSON."""
    parsed = mapping(text)
    if parsed:
        return parsed, False
    cut = read_cut(text)
    return (cut, True) if isinstance(cut, dict) and cut else (None, True)


def response_of(raw: dict[str, Any], body: dict[str, Any] | None) -> tuple[object, object]:
    """The answer's body (whole, events or text) and the status logged beside it."""
    response = raw.get("response")
    status: object = None
    answer: object = None
    if isinstance(response, dict):
        status = first(
            response.get("status_code"), response.get("statusCode"), response.get("code")
        )
        plain = response.get("status")
        if status is None and "object" not in response:
            status = plain
        answer = response.get("body") if "body" in response else response
    elif response is not None:
        answer = response
    if answer is None:
        for name in ("response_body", "responseBody", "output", "completion", "response_payload"):
            if raw.get(name) is not None:
                answer = raw[name]
                break
    if answer is None and body is not raw and _is_answer(raw):
        answer = raw
    return answer, status


def _is_answer(raw: dict[str, Any]) -> bool:
    return (
        isinstance(raw.get("choices"), list)
        or raw.get("object") in ("chat.completion", "response", "text_completion")
        or (raw.get("type") == "message" and "usage" in raw)
    )


def read_envelope(raw: dict[str, Any], fields: Fields, status: object = None) -> None:
    """Adds time, ids, addresses, status, latency and cost from the envelope."""
    request = mapping(raw.get("request"))
    for name in TIMES:
        if (value := raw.get(name)) is not None and (when := epoch_s(value, name)) is not None:
            fields["event_time_s"] = when
            break
    else:
        _time_of_answer(raw, fields)
    for name in IDS:
        if name in raw and (value := identity(raw[name])) is not None:
            fields["event_id"] = value
            break
    headers = lowered(first(raw.get("headers"), raw.get("request_headers"), request.get("headers")))
    if agent := text_of(raw.get("user_agent")):
        fields["user_agent"] = agent
    for name in ("client_ip", "ip", "remote_addr", "clientIp", "remote_ip", "ip_address"):
        if address := text_of(raw.get(name)):
            fields["client_ip"] = address
            break
    read_headers(headers, fields)
    for name in KEYS:
        if name in raw and (key := identity(raw[name])) is not None:
            fields["key"] = key
            break
    else:
        key = identity(
            first(
                headers.get("x-api-key-id"), headers.get("x-api-key"), headers.get("authorization")
            )
        )
        if key is not None and key != "REDACTED":
            fields["key"] = key
    for name, target in (
        ("organisation", "organisation"),
        ("organization", "organisation"),
        ("org_id", "organisation"),
        ("organization_id", "organisation"),
        ("provider", "provider"),
    ):
        if name in raw and target not in fields and (value := identity(raw[name])) is not None:
            fields[target] = value.lower() if target == "provider" else value
    for name in ("path", "endpoint", "url", "uri", "request_path"):
        path = first(raw.get(name), request.get(name))
        if isinstance(path, str):
            fields["endpoint"] = path_of(path)
            break
    if "model" not in fields:
        model = first(text_of(raw.get("model")), model_in_path(fields.get("endpoint")))
        if model is not None:
            fields["model"] = model
    _read_outcome(raw, fields, status)
    _read_timing(raw, fields)


def _time_of_answer(raw: dict[str, Any], fields: Fields) -> None:
    """Only the answer's own time exists: better than none."""
    for value in (
        raw,
        raw.get("response"),
        mapping(raw.get("response")).get("body"),
        raw.get("output"),
    ):
        if isinstance(value, dict):
            created = first(value.get("created"), value.get("created_at"))
            if created is not None and (when := epoch_s(created, "created")) is not None:
                fields["event_time_s"] = when
                return


def _read_outcome(raw: dict[str, Any], fields: Fields, status: object) -> None:
    for value in (
        status,
        raw.get("status_code"),
        raw.get("statusCode"),
        raw.get("http_status"),
        raw.get("status"),
        raw.get("response_status"),
    ):
        if put_status(value, fields):
            break
    if raw.get("error"):
        read_error(raw["error"], fields)
    for name in ("error_code", "errorCode", "error_type"):
        if name in raw and (code := identity(raw[name])) is not None:
            fields.setdefault("error_code", code)
    settle_outcome(fields)


def put_status(value: object, fields: Fields) -> bool:
    """Adds a status: an HTTP code (also as text), or success or failure in other words."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("success", "ok", "succeeded", "completed"):
            fields["status"] = "success"
            return True
        if word in ("failure", "error", "failed", "fail"):
            fields["status"] = "failure"
            return True
        if not word.isdigit():
            return False
    number = count(value, "status")
    if number is None or not 100 <= number <= 999:
        return False
    fields["status"] = number
    return True


def settle_outcome(fields: Fields) -> None:
    """Status and error code stand for each other where only one was logged."""
    status = fields.get("status")
    if isinstance(status, int) and status >= 400 and fields.get("error_code") in (None, HTML):
        fields["error_code"] = str(status)
    if status is None and "error_code" in fields:
        fields["status"] = "failure"


def _read_timing(raw: dict[str, Any], fields: Fields) -> None:
    for name, factor in (
        ("latency_s", 1000.0),
        ("latency_ms", 1.0),
        ("duration_ms", 1.0),
        ("duration_s", 1000.0),
        ("elapsed_ms", 1.0),
        ("response_ms", 1.0),
    ):
        if (value := amount(raw.get(name), name)) is not None:
            fields["latency_ms"] = value * factor
            break
    else:
        for name in ENDS:
            if raw.get(name) is not None:
                end_s = epoch_s(raw[name], name)
                if (spent := span_ms(fields.get("event_time_s"), end_s)) is not None:
                    fields["latency_ms"] = spent
                break
    for name, factor in (("ttft_ms", 1.0), ("ttft_s", 1000.0), ("time_to_first_token_ms", 1.0)):
        if (value := amount(raw.get(name), name)) is not None:
            fields["ttft_ms"] = value * factor
            break
    for name in ("cost_usd", "cost", "total_cost"):
        value = raw.get(name)
        if not isinstance(value, dict) and (cost := amount(value, name)) is not None:
            fields["cost_usd"] = cost
            break
    if fields.get("stream") is None and (streamed := flag(raw.get("stream"))) is not None:
        fields["stream"] = streamed
    for name, target in (
        ("account_created_s", "account_created_s"),
        ("account_created_at", "account_created_s"),
    ):
        if raw.get(name) is not None and (when := epoch_s(raw[name], name)) is not None:
            fields[target] = when
    if (limit := amount(raw.get("plan_limit"), "plan_limit")) is not None:
        fields["plan_limit"] = limit


def path_of(url: str) -> str:
    """The path of a URL, without host and query."""
    rest = url.split("://", 1)
    path = rest[-1] if len(rest) == 1 else "/" + rest[1].partition("/")[2]
    return path.split("?", 1)[0][:512]


def model_in_path(path: str | None) -> str | None:
    """The model or deployment named in a URL path, where the body names none."""
    if not path:
        return None
    parts = path.split("/")
    for marker in ("deployments", "engines", "models", "model"):
        if marker in parts[:-1]:
            name = parts[parts.index(marker) + 1].split(":generate")[0]
            name = name.split(":streamGenerate")[0].split(":predict")[0]
            if name:
                return name
    return None


def decoded(text: str | bytes) -> object:
    """JSON decoded, or None."""
    try:
        parsed: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    return parsed
