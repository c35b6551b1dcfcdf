"""One suite over every registered log format: a new one is tested without an edit here."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.errors import MalformedRecord
from streams.formats import FORMATS, Format
from streams.intake import READER_FAILED, Intake, IntakeSettings
from streams.record import ApiRequest

FORMAT_IDS = [entry.name for entry in FORMATS]
every_format = pytest.mark.parametrize("entry", FORMATS, ids=FORMAT_IDS)
quick = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

ODD_VALUES: list[Any] = [
    None,
    "",
    "None",
    "NaN",
    "{}",
    "[]",
    "-",
    [],
    {},
    True,
    False,
    0,
    -1,
    -1000,
    2**63,
    10**30,
    1e308,
    1.5,
    "text",
    "\x00",
    "\ufffd",
    ["x"],
    [[]],
    {"a": None},
    [None],
    "9" * 400,
    {"low": -1, "high": -1},
    {"low": "x", "high": 0},
    [1, 2, 3],
    "2026-13-45T99:99:99Z",
    "data: {",
    '{"a": [',
    "(" * 50,
]


def as_object(example: bytes) -> Any:
    """The example as JSON, or as the text it is."""
    try:
        return msgspec.json.decode(example)
    except msgspec.DecodeError:
        return example.decode()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            found += places(inner, (*path, at))
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with one value replaced."""
    out = copy.deepcopy(value)
    holder = out
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = new
    return out


def check_sound(requests: list[ApiRequest]) -> None:
    """What intake promises of every record it lets through."""
    for request in requests:
        assert request.event_id
        again = msgspec.json.decode(msgspec.json.encode(request), type=ApiRequest)
        assert again == request
        for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
            value = getattr(request, name)
            assert value is None or 0 <= value <= 2**53
        when = request.event_time_s
        assert when is None or 9e8 < when < 8e9
        assert (request.messages is None) == (request.n_messages is None) or (
            request.source.startswith("native")
        )


def read_or_reject(value: bytes, name: str | None = None) -> list[ApiRequest]:
    """The requests, or none if the record is refused with a reason."""
    refused: MalformedRecord | None = None
    requests: list[ApiRequest] = []
    try:
        requests = Intake(IntakeSettings(format=name)).read(value, record_time_s=1.79e9)
    except MalformedRecord as error:
        refused = error
    if refused is not None:
        assert refused.expected
        assert len(refused.got) <= 120
        assert refused.expected != READER_FAILED, repr(refused.__cause__)
    check_sound(requests)
    return requests


@every_format
def test_own_example_is_recognised_and_read(entry: Format) -> None:
    """The example is of this format, and no format before it in the registry claims it."""
    name, requests = Intake().read_named(entry.example, record_time_s=None)
    assert name == entry.name
    assert len(requests) == 1
    assert requests[0].source.partition("/")[0] == entry.name
    check_sound(requests)


@every_format
def test_reading_twice_gives_equal_requests(entry: Format) -> None:
    """Ids come from content: the same bytes give the same request in another process's intake."""
    assert Intake().read(entry.example, record_time_s=None) == Intake().read(
        entry.example, record_time_s=None
    )


@every_format
def test_set_format_reads_its_example_and_refuses_foreign_records(entry: Format) -> None:
    """`format = NAME` reads the format and turns others away with a reason."""
    assert (
        len(Intake(IntakeSettings(format=entry.name)).read(entry.example, record_time_s=None)) == 1
    )
    with pytest.raises(MalformedRecord):
        Intake(IntakeSettings(format=entry.name)).read(b'{"nothing":{"of":1}}', record_time_s=None)


@every_format
def test_record_without_account_is_read(entry: Format) -> None:
    """An account that is not in the log is absent, never invented."""
    intake = Intake()
    request = intake.read(entry.example, record_time_s=None)[0]
    if request.account is None or request.account_path is None:
        return
    text = entry.example.replace(b'"acct_9"', b"null").replace(b'"acct_1"', b"null")
    if text == entry.example:
        return
    again = Intake().read(text, record_time_s=None)
    assert all(request.account != "acct_9" for request in again)


@every_format
@quick
@given(data=st.data())
def test_one_odd_value_anywhere(entry: Format, data: st.DataObject) -> None:
    """A good record with one value replaced is read or refused with a reason, never a crash."""
    example = as_object(entry.example)
    if isinstance(example, str):
        at = data.draw(st.integers(0, len(example)))
        odd = data.draw(st.sampled_from(["'", '"', "(", ")", "None", "\x00", "é", "{", "\n"]))
        read_or_reject((example[:at] + odd + example[at:]).encode())
        return
    path = data.draw(st.sampled_from(places(example)))
    value = data.draw(st.sampled_from(ODD_VALUES))
    raw = msgspec.json.encode(replaced(example, path, value))
    read_or_reject(raw)
    read_or_reject(raw, entry.name)


@every_format
@quick
@given(data=st.data())
def test_cut_anywhere(entry: Format, data: st.DataObject) -> None:
    """A record that breaks off is refused, or read if what remains is whole."""
    at = data.draw(st.integers(0, len(entry.example)))
    read_or_reject(entry.example[:at])
    read_or_reject(entry.example[:at] + entry.example)


@settings(max_examples=200, deadline=None)
@given(value=st.binary(max_size=200))
def test_any_bytes_decode_or_raise(value: bytes) -> None:
    """Any bytes are read or raise MalformedRecord."""
    read_or_reject(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "messages",
                    "request",
                    "response",
                    "body",
                    "attributes",
                    "resourceSpans",
                    "scopeSpans",
                    "spans",
                    "model",
                    "timestamp",
                    "usage",
                    "choices",
                    "type",
                    "input",
                    "output",
                    "metadata",
                    "records",
                    "ai",
                    "properties",
                    "data",
                    "litellm_call_id",
                    "call_type",
                    "role",
                    "content",
                    "events",
                    "name",
                    "llm_summary",
                    "tokens_in",
                    "provider",
                    "done",
                    "prompt",
                    "contents",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=JSON, name=st.sampled_from([None, *FORMAT_IDS]))
def test_any_json_with_telling_names_decodes_or_raises(value: Any, name: str | None) -> None:
    """JSON built from the formats' own names, of any shape, is read or refused."""
    read_or_reject(msgspec.json.encode(value), name)
