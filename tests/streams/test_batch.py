"""Requests as columns: what each column says, and that absent is not zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.batch import BatchBuilder, RequestBatch, account_name, identity
from streams.columns import (
    ASSISTANT,
    EVENT_ID_BYTES,
    LENGTH,
    OTHER,
    STOP,
    SYSTEM,
    TOOL_RESULT,
    TOOLS,
    USER,
)
from streams.record import ApiRequest, Message

FLOATS = {
    "created_s": "account_created_s", "temperature": "temperature", "n": "n",
    "max_tokens": "max_tokens", "top_logprobs": "top_logprobs", "logit_bias": "logit_bias_size",
    "input_tokens": "input_tokens", "cached_tokens": "cached_tokens",
    "output_tokens": "output_tokens", "output_chars": "output_chars", "tool_count": "tool_count",
}  # fmt: skip
IDS = {
    "key": "key", "end_user": "end_user", "address": "client_ip", "network": "network",
    "agent": "user_agent", "model": "model",
}  # fmt: skip


def build(*requests: ApiRequest) -> RequestBatch:
    """Columns of the requests at times 0, 1, 2 …"""
    n = len(requests)
    return BatchBuilder().build(requests, [float(i) for i in range(n)], [False] * n)


def turns(*roles: str, **fields: object) -> ApiRequest:
    """A request whose messages have these roles."""
    messages = [Message(role, f"text {i}") for i, role in enumerate(roles)]
    return ApiRequest(messages=messages, **fields)  # type: ignore[arg-type]


def texts(batch: RequestBatch) -> list[bytes]:
    """The bytes of each piece."""
    raw = batch.text.tobytes()
    return [raw[p["start"] : p["stop"]] for p in batch.pieces]


def test_an_empty_record_is_all_unknown() -> None:
    """A request without any field has NaN, 0 and -1 everywhere, and no piece."""
    event = build(ApiRequest()).events[0]
    assert all(math.isnan(event[name]) for name in FLOATS)
    assert all(event[name] == 0 for name in (*IDS, "account"))
    for name in ("logprobs", "stream", "structured", "answered", "finish", "tag_out", "n_messages"):
        assert event[name] == -1, name
    assert event["piece0"] == event["piece1"] == event["user_turns"] == event["history"] == 0


def test_zero_is_not_absent() -> None:
    """Fields that are there as 0 or false are 0 in their columns."""
    told = dict.fromkeys((f for f in FLOATS.values() if f != "temperature"), 0)
    event = build(ApiRequest(**told, temperature=0.0, logprobs=False, stream=False)).events[0]  # type: ignore[arg-type]
    assert all(event[name] == 0.0 for name in FLOATS)
    assert event["logprobs"] == event["stream"] == event["structured"] == 0


@pytest.mark.parametrize(("name", "field"), FLOATS.items())
def test_each_number_has_its_column(name: str, field: str) -> None:
    """A number lands in its own column and in no other."""
    event = build(ApiRequest(**{field: 7})).events[0]  # type: ignore[arg-type]
    assert event[name] == 7.0
    assert [other for other in FLOATS if other != name and not math.isnan(event[other])] == []


@pytest.mark.parametrize(("name", "field"), IDS.items())
def test_each_identity_has_its_column(name: str, field: str) -> None:
    """An identity lands in its own column as the hash of its text; an empty one is unknown."""
    events = build(ApiRequest(**{field: "x"}), ApiRequest(**{field: ""})).events  # type: ignore[arg-type]
    assert events[name].tolist() == [identity("x"), 0]
    assert [other for other in IDS if other != name and events[0][other]] == []


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e300, -1e300, math.inf, 2**70])
@pytest.mark.parametrize("field", FLOATS.values())
@pytest.mark.filterwarnings("error")
def test_huge_numbers_are_held(field: str, value: float) -> None:
    """Numbers past any sense neither crash nor become infinite, beside ordinary ones."""
    events = build(ApiRequest(**{field: value}), ApiRequest(**{field: 3}), ApiRequest()).events  # type: ignore[arg-type]
    name = next(k for k, v in FLOATS.items() if v == field)
    assert np.isfinite(events[name][0])
    assert np.sign(events[name][0]) == np.sign(value)
    assert events[name][1] == 3.0
    assert math.isnan(events[name][2])


@pytest.mark.parametrize("value", [10**12, -(10**12), 10**30])
def test_huge_message_counts_are_held(value: int) -> None:
    """A message count past any sense does not crash."""
    assert build(ApiRequest(n_messages=value)).events["n_messages"][0] >= -1


@pytest.mark.parametrize(
    ("cached_in_input", "total"), [(False, 130.0), (True, 100.0), (None, 100.0)]
)
def test_cached_tokens_count_once(cached_in_input: bool | None, total: float) -> None:
    """Input tokens hold the cached ones once, whatever the provider's accounting."""
    r = ApiRequest(input_tokens=100, cached_tokens=30, cached_in_input=cached_in_input)
    assert build(r).events["input_tokens"][0] == total
    assert math.isnan(build(ApiRequest(cached_tokens=30)).events["input_tokens"][0])


@pytest.mark.parametrize(
    ("status", "error", "answered"),
    [
        (200, None, 1), (204, None, 1), (299, None, 1), (199, None, 0), (300, None, 0),
        (429, None, 0), (500, None, 0), (0, None, 0), ("success", None, 1), ("failure", None, 0),
        (None, None, -1), (None, "rate_limit", 0), (200, "warning", 1),
    ],
)  # fmt: skip
def test_answered(status: int | str | None, error: str | None, answered: int) -> None:
    """2xx is an answer, anything else known is none, and nothing known is unknown."""
    r = ApiRequest(status=status, error_code=error)
    assert build(r).events["answered"][0] == answered


def test_finish_and_flags() -> None:
    """Finish reasons have codes; unknown words are OTHER; flags are 0, 1 or -1."""
    rs = [ApiRequest(finish_reason=f) for f in ("stop", "length", "weird", None)]
    assert build(*rs).events["finish"].tolist() == [STOP, LENGTH, OTHER, -1]
    rs = [ApiRequest(logprobs=f, stream=f) for f in (True, False, None)]
    assert build(*rs).events["logprobs"].tolist() == [1, 0, -1]
    assert build(*rs).events["stream"].tolist() == [1, 0, -1]
    outs = [ApiRequest(output_text=t) for t in ("<think>", " \n<a>", "a < b", "", None)]
    assert build(*outs).events["tag_out"].tolist() == [1, 1, 0, 0, -1]
    rs = [ApiRequest(response_format="json"), ApiRequest(temperature=1.0), ApiRequest()]
    assert build(*rs).events["structured"].tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("roles", "history", "user_turns", "last"),
    [
        (["user"], 0, 1, [1]),
        (["system", "user"], 0, 1, [1, 1]),
        (["user", "user"], 0, 2, [1, 1]),
        (["user", "assistant"], 0, 1, [1, 1]),
        (["user", "assistant", "user"], 1, 2, [0, 0, 1]),
        (["user", "model", "human", "assistant"], 1, 2, [0, 0, 1, 1]),
        (["user", "assistant", "tool"], 1, 1, [0, 0, 1]),
        (["user", "tool"], 1, 1, [1, 1]),
        (["user", "assistant", "tool", "assistant", "tool", "user"], 1, 2, [0, 0, 0, 0, 1, 1]),
        (["system", "user", "assistant", "developer", "user"], 1, 2, [0, 0, 0, 1, 1]),
        (["whoever"], 0, 1, [1]),
        (["assistant"], 0, 0, [1]),
    ],
)
def test_turns(roles: list[str], history: int, user_turns: int, last: list[int]) -> None:
    """The last turn is what follows the last answer; an answer begun by the client is none."""
    batch = build(turns(*roles))
    event = batch.events[0]
    assert (event["history"], event["user_turns"], event["n_messages"]) == (
        history,
        user_turns,
        len(roles),
    )
    assert batch.pieces["last_turn"].tolist() == last


def test_roles_and_order_of_pieces() -> None:
    """System prompt and tools come first, then the messages; texts are those of the record."""
    batch = build(
        turns("developer", "user", "model", "function", "user", system="sys", tools="[]"),
        ApiRequest(messages=[]),
        turns("user"),
    )
    assert batch.pieces["role"].tolist() == [
        SYSTEM, TOOLS, SYSTEM, USER, ASSISTANT, TOOL_RESULT, USER, USER,
    ]  # fmt: skip
    assert texts(batch)[:3] == [b"sys", b"[]", b"text 0"]
    assert batch.pieces["event"].tolist() == [0] * 7 + [2]
    spans = list(zip(batch.events["piece0"].tolist(), batch.events["piece1"].tolist(), strict=True))
    assert spans == [(0, 7), (7, 7), (7, 8)]


def test_messages_without_text_are_turns_but_no_pieces() -> None:
    """A picture is a turn, a bare tool call an answer; neither is text that could repeat."""
    batch = build(
        ApiRequest(messages=[Message("user"), Message("assistant"), Message("user", "and now?")]),
        ApiRequest(messages=[Message("user", " \n")]),
    )
    assert batch.events["user_turns"].tolist() == [2, 1]
    assert batch.events["history"].tolist() == [1, 0]
    assert texts(batch) == [b"and now?"]
    assert batch.pieces["last_turn"].tolist() == [1]


def test_the_log_s_own_message_count_wins() -> None:
    """Where the log gives a count of messages, it is kept, with or without texts."""
    rs = [turns("user", n_messages=9), ApiRequest(n_messages=4), turns("user", "user")]
    assert build(*rs).events["n_messages"].tolist() == [9, 4, 2]


def test_accounts_are_apart_by_tenant() -> None:
    """The same account of two tenants is two; none or an empty one is unattributed."""
    rs = [ApiRequest(account="a"), ApiRequest(account="a", tenant="t"), ApiRequest(),
          ApiRequest(account="")]  # fmt: skip
    one, two, none, empty = build(*rs).events["account"].tolist()
    assert one == identity(account_name("default", "a")) != two
    assert none == empty == 0


def test_identities_are_stable() -> None:
    """A hash is the same in every process and never 0; any text has one."""
    assert identity("acme") == 9_341_113_500_222_039_600
    assert identity("") != 0
    assert identity("\ud800") != identity("\ud801")


def test_a_full_cache_changes_nothing() -> None:
    """A builder whose id cache is emptied again and again gives the same columns."""
    rs = [ApiRequest(account=f"a{i}", key=f"k{i}", end_user="u") for i in range(50)]
    small, large = BatchBuilder(max_cached_ids=3), BatchBuilder()
    for _ in range(3):
        one = small.build(rs, [0.0] * 50, [False] * 50)
        two = large.build(rs, [0.0] * 50, [False] * 50)
        assert one.events.tobytes() == two.events.tobytes()


@pytest.mark.parametrize(
    ("event_id", "kept"),
    [("e1", b"e1"), ("", b""), ("a\0b", b"ab"), ("x" * EVENT_ID_BYTES, b"x" * EVENT_ID_BYTES)],
)
def test_event_ids(event_id: str, kept: bytes) -> None:
    """Short ids are kept as they are, without NUL, padded with zeros."""
    row = build(ApiRequest(event_id=event_id)).event_ids[0]
    assert row.shape == (EVENT_ID_BYTES,)
    assert row.tobytes().rstrip(b"\0") == kept


def test_long_event_ids_stay_apart() -> None:
    """Ids too long for a row are hashed, so that two of them do not become one."""
    rows = build(ApiRequest(event_id="x" * 99), ApiRequest(event_id="x" * 98)).event_ids
    assert rows[0].tobytes() != rows[1].tobytes()


def test_an_empty_batch() -> None:
    """No requests give empty columns."""
    batch = build()
    assert len(batch) == 0
    assert batch.events.shape == (0,)
    assert batch.pieces.shape == (0,)
    assert batch.event_ids.shape == (0, EVENT_ID_BYTES)
    assert len(batch.events["time_s"]) == 0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["user", "assistant", "system", "tool", "x"]),
                st.text(st.characters(codec=None), max_size=30),
            ),
            max_size=5,
        ),
        max_size=8,
    )
)
def test_any_text_round_trips(told: list[list[tuple[str, str]]]) -> None:
    """Any text, NUL and lone surrogates among them, stands in the buffer as it was."""
    batch = build(*(ApiRequest(messages=[Message(*m) for m in log]) for log in told))
    want = [t for log in told for _, t in log if t.strip()]
    assert [t.decode("utf-8", "surrogatepass") for t in texts(batch)] == want
    spans = np.sort(batch.pieces, order="start")
    assert (spans["start"][1:] >= spans["stop"][:-1]).all()
    for i, log in enumerate(told):
        a, b = batch.events["piece0"][i], batch.events["piece1"][i]
        assert b - a == sum(bool(t.strip()) for _, t in log)
        assert (batch.pieces["event"][a:b] == i).all()


def test_many_user_turns_fit_their_column() -> None:
    """A hundred thousand messages do not overflow the count of turns."""
    batch = build(ApiRequest(messages=[Message("user", "x")] * 100_000))
    assert batch.events["user_turns"][0] == 32_000
    assert batch.events["piece1"][0] == 100_000
