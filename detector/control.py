"""Control records: what operators and persons switch, on the topic `stillwatch.control`.

A record is a CloudEvents envelope of type `stillwatch.control`; its data is one of the shapes
below, told apart by `kind`. Workers apply a record between two batches, partition by partition, and
write an `Applied` marker in the same transaction as what came of it. So the log alone says what was
in force at which input offset, and a replay repeats it.

Changes are additive: readers ignore unknown fields. A record that cannot be read is refused with a
reason (`Applied`), never passed over in silence and never the end of the stream.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from detector.allowlist import AllowEntry
from detector.assessment import Scope
from streams.envelope import HEADERS, decode, derived_id, encode, read_data, wrap
from streams.errors import MalformedRecord
from streams.log import LogRecord, OutputRecord, TopicPartition

CONTROL: Final = "stillwatch.control"
CONTROL_PARTITION: Final = TopicPartition(CONTROL, 0)
"""The topic has one partition: its records have one order for everybody."""

SCHEMA_VERSION: Final = 1
WORKER: Final = "/stillwatch/worker"
COMMAND_LINE: Final = "/stillwatch/cli"

MAX_RECORD_BYTES: Final = 900_000
"""A control record is not written larger: the topic takes 1 MB."""

MAX_RESULTS: Final = 500
"""Results in one marker, and"""
MAX_REFUSAL_CHARS: Final = 200
"""characters of a refusal: so that no marker comes near the bound."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
Words = Annotated[str, msgspec.Meta(max_length=2000)]


class Switch(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every switch carries: who said so and why, kept for the audit."""

    by: Name
    reason: Words = ""


class PolicySwitch(Switch, frozen=True, kw_only=True, tag="policy"):
    """Judge by this policy. `text` is the TOML file itself; `stamp` is told to people."""

    text: str
    stamp: str


class ModelSwitch(Switch, frozen=True, kw_only=True, tag="model"):
    """Score with the models in `folder` of the worker's machine.

    `version` is "classifier/cues" as their cards say; a folder with another version is refused.
    `calibration` is a file of `stillwatch calibrate` on the worker's machine; "": the card's own
    table, whatever the worker started with. The version names it too.
    """

    folder: Name
    version: Name
    calibration: Annotated[str, msgspec.Meta(max_length=2048)] = ""


class Allow(Switch, frozen=True, kw_only=True, tag="allow"):
    """Put an entry on the allow-list; the verdicts that it covers are lifted."""

    entry: AllowEntry


class Disallow(Switch, frozen=True, kw_only=True, tag="disallow"):
    """End an allow-list entry early. What was lifted comes back with new evidence only."""

    tenant: Name
    scope: Scope
    scope_id: Name


class Undo(Switch, frozen=True, kw_only=True, tag="undo"):
    """Lift the verdicts on an entity and its parts, and keep them lifted for the same cause.

    until_s: event time (UTC epoch seconds) at which the undo ends.
    """

    tenant: Name
    scope: Scope
    scope_id: Name
    until_s: float


class Confirm(Switch, frozen=True, kw_only=True, tag="confirm"):
    """A person gives the step that a verdict proposes."""

    tenant: Name
    scope: Scope
    scope_id: Name


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of the control record at `offset`; `refused` says why it changed nothing."""

    offset: int
    refused: str | None = None


class Applied(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="applied"):
    """A worker's marker: these control records took effect here, in this order.

    group: the workers' consumer group; other groups keep their own markers.
    topic, partition, before_offset: behind every input record before this offset, ahead of it.
    """

    group: str
    topic: str
    partition: int
    before_offset: int
    results: tuple[Result, ...]


class Assigned(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="assigned"):
    """A worker takes partitions over; `token` is its own and new each time.

    A worker that reads its own record has read every marker committed before it: markers behind
    another worker's open transaction are not visible before that one ended.
    """

    group: str
    member: str
    token: str
    topic: str
    partitions: tuple[int, ...]


SwitchRecord = PolicySwitch | ModelSwitch | Allow | Disallow | Undo | Confirm
ControlRecord = SwitchRecord | Applied | Assigned


def control_record(
    body: ControlRecord, *, event_id: str, at_s: float, source: str = WORKER
) -> OutputRecord:
    """The record as it is written.

    event_id: from `derived_id`. at_s: UTC epoch seconds; nothing is computed from it.
    Raises MalformedRecord when it would be larger than MAX_RECORD_BYTES.
    """
    event = wrap(
        "control",
        body,
        event_id=event_id,
        source=source,
        subject=str(body.__struct_config__.tag),
        time_s=at_s,
        version=SCHEMA_VERSION,
        partition_key=CONTROL,
    )
    value = encode(event)
    if len(value) > MAX_RECORD_BYTES:
        raise MalformedRecord("data", f"at most {MAX_RECORD_BYTES} bytes", f"{len(value)} bytes")
    return OutputRecord(CONTROL, None, value, at_s, HEADERS, partition=CONTROL_PARTITION.partition)


def switch_record(body: SwitchRecord, at_s: float) -> OutputRecord:
    """A person's switch, told at `at_s` on the command line; the same twice has the same id."""
    content = msgspec.json.encode(body, order="deterministic").decode()
    return control_record(
        body, event_id=derived_id("switch", content, repr(at_s)), at_s=at_s, source=COMMAND_LINE
    )


def read_control(record: LogRecord) -> ControlRecord:
    """Reads a control record. Raises MalformedRecord naming the field."""
    event = decode(record.value)
    if event.type != "stillwatch.control":
        raise MalformedRecord("type", "stillwatch.control", event.type)
    return read_data(event, _ANY)


_ANY: type[ControlRecord] = ControlRecord  # type: ignore[assignment]  # a union is a type to msgspec
