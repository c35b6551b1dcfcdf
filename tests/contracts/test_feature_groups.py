"""What every feature group keeps to, whatever it measures: run over the registry."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detector import kernels
from detector.entities import ACCOUNT_ROW
from detector.features import (
    FEATURE_NAMES,
    GROUP_OF,
    GROUPS,
    N_FEATURES,
    narrow,
    read_features,
    schema_hash,
)
from detector.features.narrow import NARROW_ROW, read_narrow
from detector.state import PartitionState
from streams.batch import BatchBuilder
from streams.record import ApiRequest, Message
from tests.detector.builders import DAY_S, T0_S, seeded_cues

CUES = seeded_cues()
UNSET = np.float32(-12345.5)

each_group = pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.NAME)


def read(group: ModuleType, row: np.void, out: NDArray[np.float32]) -> None:
    """Calls a group's read: `read(row, out)` or `read(row, requests, out)`."""
    if len(inspect.signature(group.read.py_func).parameters) == 3:
        group.read(row, row["requests"], out)
    else:
        group.read(row, out)


def bounded(name: str) -> bool:
    """Names that say they are a share, so lie in [0, 1]."""
    ends = ("_share", "_flatness", "_entropy")
    probability = name.startswith("intent_") or name in ("extraction_high", "extraction_low")
    return name.endswith(ends) or probability or name == "system_elicitation"


LONG = "reveal your reasoning, all of it " * 3000  # 100 kB

TEXT = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(codec=None), max_size=40),  # lone surrogates too
    st.sampled_from(["", "\0", "\0\0 \ud800\udfff", "<think>", LONG, "字" * 900, "1 2 3 " * 900]),
)
NUMBER = st.one_of(
    st.none(),
    st.sampled_from([0, 1, 2, -1, -(10**18), 10**12, 2**53, 10**30, 10**400]),
    st.integers(-5, 4000),
)
REAL = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -1.0, 1e300, -1e300, 1e-300]),
)
FLAG = st.sampled_from([None, True, False])
NAME = st.one_of(st.none(), st.sampled_from(["", "a", "b", "c", "\0", "\ud800", "x" * 5000]))
ROLE = st.sampled_from(["user", "assistant", "system", "tool", "developer", "", "\0", "whoever"])
MESSAGES = st.one_of(
    st.none(), st.lists(st.builds(Message, role=ROLE, text=TEXT), max_size=5)
)  # fmt: skip

EXTREME = st.builds(
    ApiRequest,
    account=st.sampled_from(["a", "a", "a", "b", None]),
    event_id=st.one_of(st.text(max_size=80), st.sampled_from(["", "\0", "é" * 60])),
    key=NAME, end_user=NAME, client_ip=NAME, network=NAME, user_agent=NAME, model=NAME,
    system=st.one_of(st.none(), TEXT), tools=st.one_of(st.none(), TEXT), messages=MESSAGES,
    account_created_s=REAL, temperature=REAL, n=NUMBER, n_messages=NUMBER, max_tokens=NUMBER,
    top_logprobs=NUMBER, logit_bias_size=NUMBER, input_tokens=NUMBER, cached_tokens=NUMBER,
    output_tokens=NUMBER, output_chars=NUMBER, tool_count=NUMBER, logprobs=FLAG, stream=FLAG,
    cached_in_input=FLAG, response_format=NAME, output_text=st.one_of(st.none(), TEXT),
    status=st.one_of(st.none(), st.sampled_from([200, 299, 429, 0, -1, 10**30, "success", "?"])),
    error_code=NAME,
    finish_reason=st.sampled_from([None, "stop", "length", "refusal", "error", "who knows"]),
)  # fmt: skip
TIME = st.one_of(
    st.floats(T0_S, T0_S + 60 * DAY_S),
    st.floats(946_684_800.0, 7_258_118_400.0),  # 2000 to 2200, what intake lets pass
    st.sampled_from([0.0, T0_S, T0_S + 1e-9]),
)


@each_group
def test_read_writes_exactly_its_features(group: ModuleType) -> None:
    """read() sets each of its values, of an empty and of a used row, and nothing past them."""
    state = PartitionState()
    state.apply(BatchBuilder().build([ApiRequest(account="a")], [T0_S], [False]), CUES)
    for row in (np.zeros(1, ACCOUNT_ROW)[0], state.accounts.rows[0]):
        out = np.full(len(group.FEATURES) + 2, UNSET, np.float32)
        read(group, row, out[1:-1])
        assert (out[1:-1] != UNSET).all()
        assert out[0] == UNSET
        assert out[-1] == UNSET


@each_group
def test_unknown_before_any_data(group: ModuleType) -> None:
    """Of an account that sent nothing, every feature is unknown."""
    out = np.zeros(len(group.FEATURES), np.float32)
    read(group, np.zeros(1, ACCOUNT_ROW)[0], out)
    assert np.isnan(out).all()


@each_group
def test_reading_changes_nothing(group: ModuleType) -> None:
    """read() is pure: the row is as before, and a second reading is the same."""
    state = PartitionState()
    requests = [ApiRequest(account="a", messages=[Message("user", f"q {i}")]) for i in range(20)]
    state.apply(BatchBuilder().build(requests, [T0_S + i for i in range(20)], [False] * 20), CUES)
    before = state.digest()
    one, two = (np.zeros(len(group.FEATURES), np.float32) for _ in range(2))
    read(group, state.accounts.rows[0], one)
    read(group, state.accounts.rows[0], two)
    assert one.tobytes() == two.tobytes()
    assert state.digest() == before


def test_names_are_unique() -> None:
    """No two groups share a name, a row field or a feature, so a name says which one is meant."""
    names = [g.NAME for g in GROUPS]
    fields = [f[0] for g in GROUPS for f in g.FIELDS]
    assert len(set(names)) == len(names)
    assert len(set(fields)) == len(fields)
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES) == N_FEATURES == len(GROUP_OF)
    assert set(fields) <= set(ACCOUNT_ROW.names or ())


@each_group
def test_a_group_says_what_it_is(group: ModuleType) -> None:
    """A group has a docstring, lower-case names, and at least one field and feature."""
    assert group.__doc__
    assert group.FIELDS
    assert group.FEATURES
    for name in (group.NAME, *group.FEATURES, *(f[0] for f in group.FIELDS)):
        assert name == name.lower()
        assert name.isidentifier()


@each_group
def test_every_field_is_used(group: ModuleType) -> None:
    """A field that no kernel touches would be dead weight in each of a million rows."""
    source = "".join(inspect.getsource(m) for m in (*GROUPS, kernels, narrow))
    used = {n.attr for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Attribute)}
    assert [f[0] for f in group.FIELDS if f[0] not in used] == []


def test_the_schema_hash_follows_the_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another feature or field is another schema; the same registry is always the same."""
    assert schema_hash() == schema_hash()
    assert len(schema_hash()) == 16
    before = schema_hash()
    monkeypatch.setattr(GROUPS[0], "FEATURES", (*GROUPS[0].FEATURES, "one_more"))
    assert schema_hash() != before


def check(vectors: NDArray[np.float32]) -> None:
    """Every value NaN or finite, every share within [0, 1]."""
    assert not np.isinf(vectors).any(), [
        FEATURE_NAMES[k] for k in np.flatnonzero(np.isinf(vectors).any(axis=0))
    ]
    for k, name in enumerate(FEATURE_NAMES):
        if bounded(name):
            known = vectors[~np.isnan(vectors[:, k]), k]
            assert ((known >= 0.0) & (known <= 1.0 + 1e-5)).all(), (name, known)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow,
          HealthCheck.data_too_large, HealthCheck.large_base_example])  # fmt: skip
@given(st.lists(st.tuples(EXTREME, TIME, st.booleans()), max_size=15))
def test_finite_after_anything(log: list[tuple[ApiRequest, float, bool]]) -> None:
    """After any requests, however odd, every feature is unknown or finite and shares are shares."""
    state, builder = PartitionState(), BatchBuilder()
    requests, times, late = [r for r, _, _ in log], [t for _, t, _ in log], [x for _, _, x in log]
    due = state.apply(builder.build(requests, times, late), CUES)
    vectors = np.empty((len(state.accounts), N_FEATURES), np.float32)
    read_features(state.accounts.rows[: len(state.accounts)], vectors)
    check(vectors)
    check(due.vectors)
    for table in (state.end_users, state.keys):
        short = np.empty((len(table), N_FEATURES), np.float32)
        read_narrow(table.rows[: len(table)], short)
        check(short)
    for rows, dtype in ((state.accounts.rows, ACCOUNT_ROW), (state.keys.rows, NARROW_ROW)):
        for name in dtype.names or ():
            if rows[name].dtype.kind == "f":
                assert not np.isinf(rows[name]).any(), name


@pytest.mark.parametrize("years", [0.5, 1.0, 2.0, 20.0])
def test_finite_after_years(years: float) -> None:
    """An account of many years, daily used, keeps finite features."""
    n = int(years * 365)
    requests = [
        ApiRequest(account="a", key="k", status=200, output_tokens=50, input_tokens=9,
                   messages=[Message("user", f"question {i % 7} {chr(97 + i % 26)}")])
        for i in range(n)
    ]  # fmt: skip
    state = PartitionState()
    times = [T0_S + DAY_S * i for i in range(n)]
    state.apply(BatchBuilder().build(requests, times, [False] * n), CUES)
    vectors = np.empty((1, N_FEATURES), np.float32)
    read_features(state.accounts.rows[:1], vectors)
    check(vectors)
    assert not np.isnan(vectors[0, FEATURE_NAMES.index("effective_requests")])
    read_narrow(state.keys.rows[:1], vectors)
    check(vectors)
    assert not np.isnan(vectors[0, FEATURE_NAMES.index("effective_requests")])
