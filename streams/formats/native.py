"""The native format: `ApiRequest` as JSON, one object a line.

Intake decodes it straight into the record without this module; it is here for the registry, for
arrays of records and for `account_from`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams.errors import MalformedRecord
from streams.formats.format import Context, Format
from streams.formats.values import Fields
from streams.record import ApiRequest

EXAMPLE = (
    b'{"event_id":"e-1","event_time_s":1772352000.5,"account":"acct_1","provider":"acme",'
    b'"model":"m-small","messages":[{"role":"user","text":"Name a bird."}],"n_messages":1,'
    b'"temperature":0.5,"status":200,"finish_reason_raw":"stop","finish_reason":"stop",'
    b'"input_tokens":11,"output_tokens":3,"client_ip":"192.0.2.10"}'
)


def recognises(obj: Any) -> bool:
    """Our own field names, which no other format has."""
    return isinstance(obj, dict) and (
        "event_time_s" in obj
        or str(obj.get("source", "")).partition("/")[0] == "native"
        or ("n_messages" in obj and "event_id" in obj)
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """The record itself, checked field by field."""
    if isinstance(obj, list):
        return [request for entry in obj for request in decode(entry, context)]
    if not recognises(obj):
        raise MalformedRecord("", "a native record", type(obj).__name__)
    try:
        request = msgspec.convert(obj, ApiRequest)
    except msgspec.ValidationError as error:
        raise malformed(error) from None
    if context.account_from:
        fields: Fields = {}
        context.put_account(obj, fields)
        if "account" in fields:
            request.account, request.account_path = fields["account"], fields["account_path"]
    return [request]


def malformed(error: msgspec.ValidationError) -> MalformedRecord:
    """msgspec's message names the path and the type: 'Expected `int`, got `str` - at `$.n`'."""
    text = str(error)
    what, _, where = text.partition(" - at ")
    expected, _, got = what.removeprefix("Expected ").partition(", got ")
    return MalformedRecord(where.strip("`").removeprefix("$").removeprefix("."), expected, got)


FORMAT = Format("native", recognises, decode, EXAMPLE)
