"""Reads what the store needs of a record of the alerts topic."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from detector.alert_event import SCHEMA_VERSION
from detector.levels import RANK, Level
from streams.envelope import decode, read_data
from streams.errors import MalformedRecord
from streams.log import LogRecord

_SCHEMA: Final = f"urn:stillwatch:schema:alert:{SCHEMA_VERSION}"
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

# Bounded: an index entry of PostgreSQL holds at most 2,704 bytes.
_Name = Annotated[str, msgspec.Meta(max_length=512)]
_Word = Annotated[str, msgspec.Meta(max_length=64)]
_Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class AlertFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an alert that are filtered on; the rest stays in the JSON, unread."""

    alert_id: _Word
    revision: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    tenant: _Name
    state: _Word
    severity: _Word
    kind: _Word
    verdict: Level
    proposed_verdict: Level | None = None
    scope: _Word
    scope_id: _Name
    account: _Name
    reason_code: _Name
    main_group: _Name
    revised_at: _Moment

    @property
    def verdict_rank(self) -> int:
        """Rank of the verdict in force, or of the one proposed where that is harder."""
        return max(RANK[self.verdict], RANK[self.proposed_verdict or "allow"])

    @property
    def revised_ms(self) -> int:
        """UTC epoch milliseconds."""
        return (self.revised_at - _EPOCH) // dt.timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """One revision as read from the topic. `body` is its JSON, as it stood there."""

    partition: int
    offset: int
    fields: AlertFields
    body: str


def read_alert(record: LogRecord) -> StoredAlert:
    """Raises MalformedRecord when the record is no alert of this schema."""
    if record.tombstone:
        raise MalformedRecord("", "an alert", "a tombstone")
    envelope = decode(record.value)
    if envelope.dataschema != _SCHEMA:
        raise MalformedRecord("dataschema", _SCHEMA, envelope.dataschema)
    fields = read_data(envelope, AlertFields)
    try:  # fields that are not read were not checked
        body = bytes(envelope.data).decode()
    except UnicodeDecodeError as error:
        raise MalformedRecord("data", "UTF-8", error.reason) from error
    return StoredAlert(record.partition, record.offset, fields, body)
