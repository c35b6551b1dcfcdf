"""Control records: written and read back, bad ones refused with a reason."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.allowlist import AllowEntry
from detector.control import (
    CONTROL,
    CONTROL_PARTITION,
    MAX_RECORD_BYTES,
    MAX_REFUSAL_CHARS,
    MAX_RESULTS,
    Allow,
    Applied,
    Assigned,
    Confirm,
    ControlRecord,
    Disallow,
    ModelSwitch,
    PolicySwitch,
    Result,
    Undo,
    control_record,
    read_control,
    switch_record,
)
from detector.control_book import ControlBook, refusal
from streams.envelope import decode
from streams.errors import MalformedRecord
from streams.log import LogRecord, OutputRecord
from streams.memory_log import MemoryLog

ENTRY = AllowEntry(
    tenant="t", scope="account", scope_id="a", reason="r", until_s=2e9, by="me", excused=("rate",)
)
EVERY: tuple[ControlRecord, ...] = (
    PolicySwitch(by="me", reason="why", text="version = 'x'\n", stamp="x+1"),
    ModelSwitch(by="me", folder="/models/x", version="1/2"),
    Allow(by="me", entry=ENTRY),
    Disallow(by="me", tenant="t", scope="organisation", scope_id="o"),
    Undo(by="me", tenant="t", scope="key", scope_id="a/k", until_s=2e9),
    Confirm(by="me", tenant="t", scope="account", scope_id="a"),
    Applied(
        group="g", topic="in", partition=3, before_offset=17,
        results=(Result(1), Result(2, "no")),
    ),
    Assigned(group="g", member="m", token="m/1", topic="in",  # noqa: S106
             partitions=(0, 3)),
)  # fmt: skip


def as_read(record: OutputRecord, offset: int = 0) -> LogRecord:
    """The record as the log gives it back."""
    return LogRecord(
        record.topic, 0, offset, record.key, record.value or b"", record.timestamp_s, record.headers
    )


@pytest.mark.parametrize("body", EVERY, ids=lambda body: type(body).__name__)
def test_every_kind_is_read_as_written(body: ControlRecord) -> None:
    """Each kind comes back equal from a CloudEvents envelope of its type, also with fields that a
    later release adds."""
    record = control_record(body, event_id="id", at_s=1.5e9)
    assert read_control(as_read(record)) == body
    envelope = decode(record.value or b"")
    assert envelope.type == "stillwatch.control"
    assert envelope.dataschema == "urn:stillwatch:schema:control:1"
    assert (record.topic, record.partition) == (CONTROL, 0)
    more = msgspec.json.decode(record.value or b"")
    more["data"]["added_later"] = {"x": 1}
    later = LogRecord(CONTROL, 0, 0, None, msgspec.json.encode(more), 1.0)
    assert read_control(later) == body


@given(st.binary(max_size=200) | st.sampled_from([b"{}", b"[]", b"null"]))
def test_any_bytes_are_refused_with_a_reason(value: bytes) -> None:
    """Bytes that are no control record raise MalformedRecord and nothing else."""
    with pytest.raises(MalformedRecord):
        read_control(LogRecord(CONTROL, 0, 0, None, value, 1.0))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"kind": "dance", "by": "me"}, "kind"),
        ({"kind": "policy", "by": "me", "text": 3, "stamp": "s"}, "text"),
        ({"kind": "undo", "by": "me", "tenant": "t", "scope": "planet", "scope_id": "x"}, "scope"),
        ({"kind": "confirm", "tenant": "t", "scope": "account", "scope_id": "x"}, "by"),
        ({"kind": "confirm", "by": "", "tenant": "t", "scope": "account", "scope_id": "x"}, "by"),
        ({"kind": "applied", "group": "g"}, "topic"),
        (5, "object"),
    ],
)
def test_a_bad_one_names_its_field(data: object, said: str) -> None:
    """An unknown kind, a wrong type, a missing or empty name: the reason names the field."""
    value = msgspec.json.decode(control_record(EVERY[0], event_id="i", at_s=1.0).value or b"")
    value["data"] = data
    record = LogRecord(CONTROL, 0, 0, None, msgspec.json.encode(value), 1.0)
    with pytest.raises(MalformedRecord, match=said):
        read_control(record)


def test_no_control_record_is_too_large() -> None:
    """The largest marker stays below the bound; a policy that would not is refused when written."""
    worst = refusal("\x01" * 10_000)
    assert len(worst) <= MAX_REFUSAL_CHARS
    full = Applied(
        group="\x01" * 249, topic="\x01" * 249, partition=9999, before_offset=2**62,
        results=tuple(Result(2**62 + i, worst) for i in range(MAX_RESULTS)),
    )  # fmt: skip
    assert len(control_record(full, event_id="i", at_s=1.0).value or b"") <= MAX_RECORD_BYTES
    with pytest.raises(MalformedRecord, match="at most 900000 bytes"):
        switch_record(PolicySwitch(by="me", text="#" * 900_000, stamp="s"), 1.0)


def test_the_later_marker_holds_and_other_groups_have_their_own() -> None:
    """A command marked twice counts at its later mark; marks of another group and marks past the
    committed offset do not count; order is that of the input offsets, then of the markers."""
    log = MemoryLog()
    log.create_topic(CONTROL)

    def mark(group: str, before: int, *offsets: int) -> OutputRecord:
        body = Applied(
            group=group, topic="in", partition=0, before_offset=before,
            results=tuple(map(Result, offsets)),
        )  # fmt: skip
        return control_record(body, event_id="i", at_s=1.0)

    switch = switch_record(Confirm(by="me", tenant="t", scope="account", scope_id="a"), 1.0)
    log.producer().send(
        [switch, switch, switch, mark("g", 50, 0), mark("g", 20, 1), mark("other", 1, 2),
         mark("g", 20, 0), mark("g", 90, 2)]
    )  # fmt: skip
    book = ControlBook(log.reader([CONTROL_PARTITION]), "g")
    book.read_to_end(0.0)
    at = type(CONTROL_PARTITION)("in", 0)
    found = [(past.command.offset, past.before_offset) for past in book.past(at, 60)]
    assert found == [(1, 20), (0, 20)]
    assert book.past(at, None) == []
    assert len(book.commands) == 3
