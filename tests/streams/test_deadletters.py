"""Dead letters say where and why; the cap counts records and stops a wrong setting."""

from __future__ import annotations

import base64
import hashlib

import msgspec
import pytest

from streams.deadletters import HEAD_BYTES, DeadLetter, RatioCap, from_file, from_log
from streams.errors import MalformedRecord, TooManyBadRecords, UnknownFormat
from streams.files import FileRecord
from streams.line_reader import LineTooLong
from streams.log import LogRecord

T0_S = 1_750_000_000.0
BAD = MalformedRecord("model", "a string", "int")


def test_a_log_record_keeps_coordinates_hash_and_head() -> None:
    """64 kB of a longer value are kept, the hash and the length are those of all of it."""
    value = b"\x00\xff" * HEAD_BYTES
    letter = from_log(LogRecord("llm.requests", 3, 17, b"k", value, T0_S), BAD)
    assert (letter.topic, letter.partition, letter.offset) == ("llm.requests", 3, 17)
    assert (letter.file, letter.line) == (None, None)
    assert (letter.kind, letter.field, letter.expected) == ("MalformedRecord", "model", "a string")
    assert letter.reason == str(BAD)
    assert letter.time_s == T0_S
    assert letter.byte_length == len(value)
    assert letter.sha256 == hashlib.sha256(value).hexdigest()
    assert base64.b64decode(letter.head_b64) == value[:HEAD_BYTES]


def test_a_file_record_keeps_file_and_line() -> None:
    """The line's own time and number, the hash made while it was read where it was too long."""
    problem = LineTooLong("", "a line of at most 16 bytes", "99 bytes")
    record = FileRecord("logs/a.jsonl", 7, 99, b"head", T0_S, problem, "ab" * 32)
    letter = from_file(record, problem)
    assert (letter.file, letter.line, letter.topic) == ("logs/a.jsonl", 7, None)
    assert (letter.byte_length, letter.sha256, letter.kind) == (99, "ab" * 32, "LineTooLong")
    plain = from_file(FileRecord("a", 1, 1, b"x", None), BAD)
    assert plain.sha256 == hashlib.sha256(b"x").hexdigest()


def test_it_survives_json_and_leaves_absent_fields_out() -> None:
    """A reader gets the same letter back; coordinates it does not have are not in the JSON."""
    letter = from_file(FileRecord("a", 1, 1, b"\xff", None), UnknownFormat("list"))
    raw = msgspec.json.encode(letter)
    assert msgspec.json.decode(raw, type=DeadLetter) == letter
    assert b"topic" not in raw
    assert b"null" not in raw


def test_the_cap_stops_at_the_first_record_over_it() -> None:
    """200 records at least, then more than half: exactly half goes on, one more stops."""
    cap = RatioCap(cap=0.5, minimum=200)
    for _ in range(100):
        cap.bad(BAD)
        cap.good()
    with pytest.raises(TooManyBadRecords) as caught:
        cap.bad(BAD)
    assert (caught.value.bad, caught.value.seen, caught.value.cap) == (101, 201, 0.5)
    assert str(BAD) in str(caught.value)


def test_few_records_never_stop_and_a_good_one_may() -> None:
    """199 bad ones go on; the 200th record stops the run although it is good."""
    cap = RatioCap(cap=0.5, minimum=200)
    for _ in range(199):
        cap.bad(BAD)
    with pytest.raises(TooManyBadRecords):
        cap.good()


def test_a_topic_that_turns_bad_after_long_good_service_is_noticed() -> None:
    """A million good records do not buy a million bad ones: the share is over a window."""
    cap = RatioCap(cap=0.5, minimum=200, window=1000)
    for _ in range(20_000):
        cap.good()

    def turn_bad() -> None:
        for _ in range(1001):
            cap.bad(BAD)

    with pytest.raises(TooManyBadRecords):
        turn_bad()
    assert cap.seen_total == 20_000 + cap.bad_total


def test_a_share_under_the_cap_never_stops() -> None:
    """A third of bad records, for ever, is counted by reason and goes on."""
    cap = RatioCap(cap=0.5, minimum=10, window=100)
    for _ in range(500):
        cap.good()
        cap.bad(BAD)
        cap.good()
    for _ in range(3):
        cap.bad(UnknownFormat("list"))
    assert cap.by_reason == {"MalformedRecord:model": 500, "UnknownFormat": 3}
    assert (cap.bad_total, cap.seen_total) == (503, 1503)


def test_reasons_are_bounded() -> None:
    """Field names come from the input, so only so many are kept and the rest share one count."""
    cap = RatioCap(cap=1.0, max_reasons=2)
    for name in ("a", "b", "c", "d", "a"):
        cap.bad(MalformedRecord(name, "text"))
    assert cap.by_reason == {"MalformedRecord:a": 2, "MalformedRecord:b": 1, "other": 2}


def test_impossible_settings_are_said() -> None:
    """A share over 1, a minimum that is never reached."""
    with pytest.raises(ValueError, match="cap"):
        RatioCap(cap=1.5)
    with pytest.raises(ValueError, match="minimum"):
        RatioCap(minimum=200, window=200)


@pytest.mark.parametrize("bad_first", [0, 1, 19])
def test_many_good_records_count_as_one_by_one(bad_first: int) -> None:
    """`good(n)` leaves the cap as n calls of `good()` do, across halvings of the window too."""
    at_once, one_by_one = (RatioCap(minimum=20, window=101, cap=1.0) for _ in range(2))
    for cap in (at_once, one_by_one):
        for _ in range(bad_first):
            cap.bad(MalformedRecord("x", "y"))
    for count in (0, 1, 7, 100, 101, 1000, 3):
        at_once.good(count)
        for _ in range(count):
            one_by_one.good()
        assert vars(at_once) == vars(one_by_one)
