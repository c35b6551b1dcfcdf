"""Under which account a raw record is keyed, and when it is cut."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.account_keys import AccountKeys, Keyed
from streams.errors import MalformedRecord, UnknownFormat
from streams.formats import FORMATS
from streams.intake import Intake, IntakeSettings
from tests.detector.builders import ask
from tests.streams.formats.test_otel import TRACE, pairs, span, spans

KEY = b"a key of this deployment"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def keyed(value: object, **settings: Any) -> Keyed:
    """What becomes of a record; bytes are taken as they are."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return AccountKeys(IntakeSettings(hmac_key=KEY, **settings)).keyed(raw, record_time_s=1.8e9)


def call(number: int, account: str | None, trace: str = TRACE, **more: Any) -> dict[str, Any]:
    """A call's span with an answer of its own."""
    attributes = CALL | {"gen_ai.prompt": f"question {number}"}
    if account is not None:
        attributes["user.id"] = account
    return span(f"{number:016x}", attributes, trace=trace, **more)


def trace(number: int) -> str:
    """A trace id."""
    return f"{number:032x}"


def read(found: Keyed) -> list[list[str | None]]:
    """Accounts of the requests that each part gives to an intake."""
    return [
        [
            r.account
            for r in Intake(IntakeSettings(hmac_key=KEY)).read(part.value, record_time_s=1.0)
        ]
        for part in found.parts
    ]


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.name)
def test_every_format_is_keyed_as_intake_reads_it(entry: Any) -> None:
    """The very bytes, under the account of the record's requests; without one it is a dead letter
    that says what to set."""
    requests = Intake(IntakeSettings(hmac_key=KEY)).read(entry.example, record_time_s=1.8e9)
    accounts = {request.account for request in requests}
    if accounts == {None}:
        with pytest.raises(MalformedRecord, match="account_from") as caught:
            keyed(entry.example)
        assert caught.value.field == "account"
        return
    (part,) = keyed(entry.example).parts
    assert part.value == entry.example
    assert {part.account} == accounts


def test_an_export_of_one_account_stays_as_it_is() -> None:
    """Spans without an account beside it change nothing: the value is not written anew."""
    whole = spans(call(1, "a"), call(2, "a", trace(2)), call(3, None, trace(3)))
    raw = json.dumps(whole, indent=1).encode()
    found = keyed(raw)
    assert [(part.account, part.value) for part in found.parts] == [("a", raw)]
    assert not found.mixed


def test_an_export_of_several_accounts_is_cut_by_trace() -> None:
    """Each account gets its own export, in the order of the spans; the resource stays around each
    span, and a trace without an account goes with the first."""
    whole = spans(call(1, "a", trace(1)), call(2, "b", trace(2)), call(3, None, trace(3)))
    whole["resourceSpans"].append(spans(call(4, "a", trace(4)))["resourceSpans"][0])
    whole["resourceSpans"][1]["resource"] = {"attributes": pairs({"service.name": "x"})}
    found = keyed(whole)
    assert [part.account for part in found.parts] == ["a", "b"]
    assert not found.mixed
    assert read(found) == [["a", None, "a"], ["b"]]
    first = json.loads(found.parts[0].value)["resourceSpans"]
    assert first[1] == whole["resourceSpans"][1]
    assert [s["spanId"] for s in first[0]["scopeSpans"][0]["spans"]] == [
        f"{n:016x}" for n in (1, 3)
    ]


def test_a_span_is_never_cut_from_its_continuation() -> None:
    """Parent and child of one call, an account on one of them only, with another account's call
    between: they come to one part, and intake makes one request of them, as in the whole."""
    whole = spans(
        call(1, None, trace(1), parent=f"{9:016x}"),
        call(2, "b", trace(2)),
        call(9, "a", trace(1), start_s=1789999999.0, end_s=1790000009.0),
    )
    found = keyed(whole)
    assert [part.account for part in found.parts] == ["a", "b"]
    assert read(found) == [["a"], ["b"]]


def test_the_inner_spans_account_counts() -> None:
    """Where both name one, intake takes the inner one's; the key is the same and nothing is cut."""
    whole = spans(
        call(9, "outer", trace(1), start_s=1789999999.0, end_s=1790000009.0),
        call(1, "inner", trace(1), parent=f"{9:016x}"),
    )
    found = keyed(whole)
    assert read(found) == [["inner"]]
    assert [part.account for part in found.parts] == ["inner"]
    assert not found.mixed


def test_a_trace_of_two_accounts_is_not_cut() -> None:
    """Its spans may be one call to a later record: it is keyed by the first and counted."""
    whole = spans(call(1, "a"), call(2, "b", start_s=1790000500.0, end_s=1790000501.0))
    found = keyed(whole)
    assert [part.account for part in found.parts] == ["a"]
    assert found.mixed
    assert read(found) == [["a", "b"]]


def log_record(name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """A coding agent's log event."""
    return {
        "timeUnixNano": "1790000000000000000",
        "body": {"stringValue": name},
        "attributes": pairs({"event.name": name, **attributes}),
    }


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    """An export of log records."""
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}


def test_an_agents_prompt_goes_with_the_calls_made_for_it() -> None:
    """The prompt comes in an event of its own that is no request: it is keyed all the same, so that
    the partition of its call has read it; and never cut from it."""
    turn = {"session.id": "s", "prompt.id": "p"}
    prompt = log_record("user_prompt", turn | {"prompt": "Why?", "user.id": "a"})
    request = log_record("api_request", turn | {"model": "m", "user.id": "a", "request_id": "r"})
    other = log_record("api_request", {"model": "m", "user.id": "b", "request_id": "q"})
    found = keyed(logs(prompt))
    assert [part.account for part in found.parts] == ["a"]
    assert read(found) == [[]]
    found = keyed(logs(prompt, other, request))
    assert [part.account for part in found.parts] == ["a", "b"]
    assert read(found) == [["a"], ["b"]]
    nameless = log_record("user_prompt", turn | {"prompt": "Why?"})
    with pytest.raises(MalformedRecord, match="account_from"):
        keyed(logs(nameless))


def test_what_tells_of_no_request_has_no_part() -> None:
    """A span of the HTTP layer, with a user in it: nobody would judge it."""
    whole = spans(span("01", {"http.route": "/health", "user.id": "a"}, name="GET"))
    assert keyed(whole) == Keyed(())


def test_an_export_in_an_envelope_is_keyed_and_not_cut() -> None:
    """A shipper's line around it: one account is found; of two the first, counted."""
    one = {"message": json.dumps(spans(call(1, "a", trace(1))))}
    assert [part.account for part in keyed(one).parts] == ["a"]
    two = {"message": json.dumps(spans(call(1, "a", trace(1)), call(2, "b", trace(2))))}
    found = keyed(two)
    assert [part.account for part in found.parts] == ["a"]
    assert found.mixed


@pytest.mark.parametrize("lines", [False, True])
def test_arrays_and_lines_are_cut_by_entry(lines: bool) -> None:
    """Several records of any format in one: each account gets its own, in order; what has none
    goes with the first."""
    entries = [
        msgspec.to_builtins(ask(f"q{i}", account=account, event_id=f"e{i}", event_time_s=1.8e9))
        for i, account in enumerate(["a", "b", None, "a"])
    ]
    whole: object = entries
    if lines:
        whole = "\n".join(map(json.dumps, entries)).encode()
    found = keyed(whole)
    assert [part.account for part in found.parts] == ["a", "b"]
    assert not found.mixed
    assert read(found) == [["a", "a", None], ["b"]]


@pytest.mark.parametrize("lines", [False, True])
def test_exports_one_after_the_other_are_cut(lines: bool) -> None:
    """An array, or lines, of exports."""
    exports = [spans(call(n, name, trace(n))) for n, name in ((1, "a"), (2, "b"), (3, "a"))]
    found = keyed("\n".join(map(json.dumps, exports)).encode() if lines else exports)
    assert [part.account for part in found.parts] == ["a", "b"]
    assert read(found) == [["a", "a"], ["b"]]


def test_the_key_is_the_account_as_it_is_kept() -> None:
    """A secret or an address that stands for the account is no key: it is replaced, as intake
    replaces it. The operator's own path wins."""
    (part,) = keyed(spans(call(1, "sk-abcdefgh12345678"))).parts
    assert part.account.startswith("sha256:")
    assert read(Keyed((part,))) == [[part.account]]
    (part,) = keyed(spans(call(1, "a")), account_from=("attributes[gen_ai.prompt]",)).parts
    assert part.account == "question 1"


def test_nothing_is_remembered_from_record_to_record() -> None:
    """A call told again, as after a restart of the exporter, is keyed again."""
    keys = AccountKeys(IntakeSettings(hmac_key=KEY))
    raw = json.dumps(spans(call(1, "a"))).encode()
    again = json.dumps(spans(call(1, "a", end_s=1790000002.0))).encode()
    for value in (raw, again, raw):
        assert [p.value for p in keys.keyed(value, record_time_s=1.0).parts] == [value]


@pytest.mark.parametrize("value", [b"", b"\x0a\xff\x00\x12\x00", b'{"cut', b'{"a": 1}'])
def test_what_cannot_be_read_is_malformed(value: bytes) -> None:
    """Empty, protobuf, cut and unknown records, each with its reason."""
    with pytest.raises(MalformedRecord) as caught:
        keyed(value)
    assert isinstance(caught.value, UnknownFormat) == (value == b'{"a": 1}')


@st.composite
def exports(draw: st.DrawFn) -> dict[str, Any]:
    """Exports of up to eight spans in up to three traces, of up to three accounts, some nested."""
    made: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 8))):
        parent = draw(st.sampled_from(["", *(s["spanId"] for s in made)]))
        start_s = 1790000000.0 + draw(st.integers(0, 90))
        made.append(
            call(
                draw(st.integers(1, 3)) if draw(st.booleans()) else 100 + number,
                draw(st.sampled_from([None, "a", "b", "c"])),
                trace(draw(st.integers(1, 3))),
                parent=parent,
                start_s=start_s,
                end_s=start_s + draw(st.integers(0, 60)),
            )
        )
        if draw(st.booleans()):
            made[-1]["attributes"] += pairs({"gen_ai.response.id": draw(st.sampled_from("xyz"))})
    cut = draw(st.integers(0, len(made)))
    whole = spans(*made[:cut])
    whole["resourceSpans"] += spans(*made[cut:])["resourceSpans"]
    return whole


def leaves(value: bytes) -> list[str]:
    """Each span as text."""
    return sorted(
        json.dumps(one, sort_keys=True)
        for resource in json.loads(value)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for one in scope["spans"]
    )


@given(exports())
def test_any_export_is_keyed_without_changing_what_is_read(whole: dict[str, Any]) -> None:
    """Whatever hangs together how: no span is lost or told twice, no trace is cut, and the parts
    give the requests of the whole, unless it is keyed as it is and counted."""
    raw = json.dumps(whole).encode()
    wanted = Intake(IntakeSettings(hmac_key=KEY)).read(raw, record_time_s=1.8e9)
    if all(request.account is None for request in wanted):
        with pytest.raises(MalformedRecord, match="account_from"):
            keyed(raw)
        return
    found = keyed(raw)
    if found.mixed or len(found.parts) == 1:
        assert [part.value for part in found.parts] == [raw]
        assert found.parts[0].account in {request.account for request in wanted}
        return
    homes: dict[str, set[str]] = {}
    told: list[str] = []
    for part in found.parts:
        told += leaves(part.value)
        for one in leaves(part.value):
            homes.setdefault(json.loads(one)["traceId"], set()).add(part.account)
    assert sorted(told) == leaves(raw)
    assert all(len(accounts) == 1 for accounts in homes.values())
    accounts = [str(account) for part in read(found) for account in part]
    assert sorted(accounts) == sorted(str(request.account) for request in wanted)


DAMAGED = [*(entry.example for entry in FORMATS), json.dumps(spans(call(1, "a"))).encode()]


@given(
    st.sampled_from(DAMAGED),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=3)), max_size=6),
)
def test_any_bytes_are_keyed_or_malformed(example: bytes, edits: list[tuple[int, bytes]]) -> None:
    """Examples of every format, damaged anywhere: no other error, which would stop the role."""
    raw = bytearray(example)
    for at, new in edits:
        place = at % (len(raw) + 1)
        raw[place : place + 1] = new
    keyed_or_malformed(bytes(raw))


def keyed_or_malformed(value: object) -> None:
    """Keys what can be; any other error than MalformedRecord comes through."""
    try:
        found = keyed(value)
    except MalformedRecord:
        return
    assert all(part.account for part in found.parts)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["resourceSpans", "scopeSpans", "spans", "resourceLogs", "scopeLogs", "logRecords",
             "attributes", "key", "value", "stringValue", "traceId", "spanId", "name", "body",
             "resource", "gen_ai.request.model", "gen_ai.response.id", "user.id", "event.name"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["resourceSpans", "resourceLogs", "spans"]), _JSON))
def test_any_shape_of_an_export_is_keyed_or_malformed(obj: dict[str, Any]) -> None:
    """OTLP's names around anything at all."""
    keyed_or_malformed(obj)
