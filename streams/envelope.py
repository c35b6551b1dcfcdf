"""The envelope of every output: CloudEvents 1.0 in JSON, structured mode.

Source: CloudEvents 1.0.2 (core, JSON event format, Kafka binding) and its partitioning extension.
Ids are derived (UUIDv5), so that a replay writes the same ones. Changes to a schema are additive:
readers ignore unknown fields, here and in `data`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from functools import lru_cache
from typing import TypeVar

import msgspec

from streams.errors import MalformedRecord
from streams.log import Headers

T = TypeVar("T")

NAMESPACE = uuid.UUID("5a3f6d0e-7b1c-5c2e-9d44-2f8e61b0a7c9")
"""Root of all derived ids. Never change it."""

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
HEADERS: Headers = (("content-type", CONTENT_TYPE.encode()),)
"""Kafka headers of a record whose value is an envelope."""

_JSON = "application/json"


class Envelope(msgspec.Struct, kw_only=True, frozen=True):
    """One event. `data` is JSON not yet read; `read_data` gives it a type."""

    specversion: str
    id: str
    source: str
    """Who speaks, a URI reference: "/stillwatch/worker"."""
    type: str
    """What happened: "stillwatch.alert"."""
    subject: str
    """What it is about: the account, mostly."""
    time: str
    """Event time, RFC 3339 with Z."""
    datacontenttype: str = _JSON
    dataschema: str
    """Schema of `data` with its version: "urn:stillwatch:schema:alert:1"."""
    partitionkey: str
    data: msgspec.Raw


class _Event(msgspec.Struct, frozen=True):
    """An envelope on its way out, its `data` not yet encoded: the same fields in the same order."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    dataschema: str
    partitionkey: str
    data: object


_ENCODE = msgspec.json.Encoder(order="deterministic").encode


def derived_id(*parts: str | int) -> str:
    """UUIDv5 of the parts. Their order and their borders count: ("a", "bc") is not ("ab", "c")."""
    # As `uuid.uuid5` makes it (RFC 9562, 5.5), at a third of its cost: every output has an id.
    name = NAMESPACE.bytes + msgspec.json.encode(parts)
    digest = bytearray(hashlib.sha1(name, usedforsecurity=False).digest())
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    hexed = digest.hex()
    return f"{hexed[:8]}-{hexed[8:12]}-{hexed[12:16]}-{hexed[16:20]}-{hexed[20:32]}"


@lru_cache(maxsize=4096)  # an alert tells the same few times in its fields and in its words
def rfc3339(time_s: float) -> str:
    """UTC epoch seconds as RFC 3339 in whole milliseconds with Z: 2026-01-02T03:04:05.678Z.

    Raises MalformedRecord outside the years 1 to 9999.
    """
    try:
        # From whole milliseconds, so that .9996 s carries over instead of being cut.
        moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
            milliseconds=round(time_s * 1000.0)
        )
    except (OverflowError, ValueError) as error:
        raise MalformedRecord("time", "a time in the years 1 to 9999", repr(time_s)) from error
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def wrap(
    kind: str,
    data: object,
    *,
    event_id: str,
    source: str,
    subject: str,
    time_s: float,
    version: int,
    partition_key: str,
) -> Envelope:
    """The envelope of `data`, an output of sort `kind` ("alert", "verdict", "score" …).

    event_id: from `derived_id`. version: of the data's schema. data: anything msgspec encodes;
    sets and dicts are sorted, so that equal data give equal bytes.
    Raises MalformedRecord for an impossible time, TypeError for data that msgspec cannot encode.
    """
    return Envelope(
        specversion="1.0",
        id=event_id,
        source=source,
        type=f"stillwatch.{kind}",
        subject=subject,
        time=rfc3339(time_s),
        dataschema=f"urn:stillwatch:schema:{kind}:{version}",
        partitionkey=partition_key,
        data=msgspec.Raw(_ENCODE(data)),
    )


def written(
    kind: str,
    data: object,
    *,
    event_id: str,
    source: str,
    subject: str,
    time_s: float,
    version: int,
    partition_key: str,
) -> bytes:
    """`encode(wrap(...))` of the same arguments in one pass. Raises as `wrap`."""
    return _ENCODE(
        _Event(
            "1.0",
            event_id,
            source,
            f"stillwatch.{kind}",
            subject,
            rfc3339(time_s),
            _JSON,
            f"urn:stillwatch:schema:{kind}:{version}",
            partition_key,
            data,
        )
    )


def encode(envelope: Envelope) -> bytes:
    """The envelope as JSON."""
    return msgspec.json.encode(envelope)


def decode(raw: bytes) -> Envelope:
    """Reads an envelope, unknown fields ignored. Raises MalformedRecord naming the field."""
    envelope = _typed(raw, Envelope, "")
    if envelope.specversion != "1.0":
        raise MalformedRecord("specversion", "CloudEvents 1.0", envelope.specversion)
    return envelope


def read_data(envelope: Envelope, shape: type[T]) -> T:
    """The envelope's data as `shape`. Raises MalformedRecord naming the field."""
    return _typed(envelope.data, shape, "data")


def _typed(raw: bytes | msgspec.Raw, shape: type[T], root: str) -> T:
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        # "Expected `str`, got `int` - at `$.id`"; "Object missing required field `id`"
        what, _, where = str(error).partition(" - at `$")
        path = (root + where.rstrip("`")).lstrip(".")
        raise MalformedRecord(path, what) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRecord(root, "JSON", str(error)) from error
