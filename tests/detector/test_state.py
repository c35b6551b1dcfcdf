"""State of a partition: the cut does not matter, rows are small, eviction is deterministic."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cues import HashedCues
from detector.entities import ACCOUNT_ROW, EntityTable, account_table, narrow_table
from detector.features import FEATURE_NAMES
from detector.features.narrow import NARROW_ROW
from detector.state import Due, PartitionState
from streams.batch import account_name, identity
from streams.record import ApiRequest
from tests.detector.builders import (
    DAY_S,
    T0_S,
    TEXTS,
    ask,
    batch_of,
    features_of,
    feed,
    plain_requests,
    row_of,
    seeded_cues,
    word_cues,
)

CUES = seeded_cues()
DUE_ARRAYS = (
    "rows", "index", "why", "vectors", "narrow_rows", "narrow_index", "narrow_scope",
    "narrow_vectors", "new",
)  # fmt: skip


def traffic(n: int, seed: int, accounts: int = 20) -> tuple[list[ApiRequest], list[float]]:
    """A seeded mixed log: repeats, failures, keys and end users, some unattributed."""
    rng = random.Random(seed)  # noqa: S311
    requests, t, times = [], T0_S, []
    for i in range(n):
        who = rng.randrange(accounts + 1)
        text = rng.choice(TEXTS) if rng.random() < 0.4 else f"question {rng.choice('abcdefgh')} {i}"
        r = ask(
            text,
            account=None if who == accounts else f"account {who}",
            event_id=f"e{i}",
            key=rng.choice([None, "k1", "k2"]),
            end_user=rng.choice([None, "u1", "u2", "u3"]),
            status=rng.choice([200, 200, 200, 429, None]),
            system=rng.choice([None, "You are kind.", "Be brief."]),
            output_tokens=rng.choice([None, rng.randrange(2000)]),
            input_tokens=rng.choice([None, rng.randrange(2000)]),
            model=rng.choice(["small", "large"]),
            client_ip=rng.choice([None, "i1", "i2"]),
        )
        requests.append(r)
        t += rng.choice([0.0, 0.5, 30.0, 4000.0])
        times.append(t)
    return requests, times


def joined(dues: list[Due]) -> dict[str, bytes]:
    """Everything that came due over all batches, field by field: padding says nothing."""
    out: dict[str, list[bytes]] = {}
    for name in DUE_ARRAYS:
        for due in dues:
            part = getattr(due, name)
            for field in part.dtype.names or ("",):
                told = np.ascontiguousarray(part[field] if field else part)
                out.setdefault(f"{name}.{field}", []).append(told.tobytes())
    return {name: b"".join(parts) for name, parts in out.items()}


def ids(requests: list[ApiRequest], dues: list[Due], sizes: list[int]) -> list[str]:
    """Event ids of the requests that made an account due."""
    out, at = [], 0
    for due, size in zip(dues, sizes, strict=False):
        out += [requests[at + e].event_id for e in due.event.tolist()]
        at += size
    return out


@pytest.mark.parametrize("size", [1, 7, 333])
def test_the_cut_does_not_matter(size: int) -> None:
    """Batches of 1, 7 and 333 give the same bytes of state and of due rows as one of 5,000."""
    requests, times = traffic(5000 if size > 1 else 600, seed=size)
    n = len(requests)
    whole, once = feed(requests, times, cues=CUES)
    cut, parts = feed(requests, times, cues=CUES, sizes=[size] * n)
    assert whole.digest() == cut.digest()
    assert joined(once) == joined(parts)
    assert ids(requests, once, [n]) == ids(requests, parts, [size] * n)
    assert len(once[0].rows) > 20
    assert len(once[0].narrow_rows) > 20


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b"]).flatmap(plain_requests), max_size=40),
    st.lists(st.integers(1, 9), max_size=40),
)
def test_random_cuts(requests: list[ApiRequest], sizes: list[int]) -> None:
    """So does any cut of any requests."""
    times = [T0_S + 500.0 * i for i in range(len(requests))]
    whole, once = feed(requests, times, cues=CUES)
    cut, parts = feed(requests, times, cues=CUES, sizes=sizes)
    assert whole.digest() == cut.digest()
    assert joined(once) == joined(parts) or not requests


def test_a_replay_gives_the_same_bytes() -> None:
    """The same log gives the same digest, another log another one."""
    requests, times = traffic(800, seed=1)
    one, two = feed(requests, times, cues=CUES)[0], feed(requests, times, cues=CUES)[0]
    other = feed(requests[:-9], times[:-9], cues=CUES)[0]
    assert one.digest() == two.digest() != other.digest()


def test_the_digest_sees_every_table() -> None:
    """An account, an end user and a key more change their table's digest and no other."""
    none = PartitionState().digest()
    plain = feed([ask("q")])[0].digest()
    user = feed([ask("q", end_user="u")])[0].digest()
    key = feed([ask("q", key="k")])[0].digest()
    assert none[0] != plain[0]
    assert none[1:] == plain[1:]
    assert user[1] != plain[1]
    assert user[2] == plain[2]
    assert key[1] == plain[1]
    assert key[2] != plain[2]


def test_a_due_row_is_as_it_was() -> None:
    """A due row's vector equals the features of the account right after that request."""
    requests = [ask(f"question {w}") for w in "abcdefghijklmnopqrstuvwxyz"]
    _, (due,) = feed(requests, cues=CUES)
    for i, event in enumerate(due.event.tolist()):
        state, _ = feed(requests[: event + 1], cues=CUES)
        now = list(features_of(state).values())
        np.testing.assert_array_equal(due.vectors[i], np.array(now, np.float32))


def test_an_empty_batch() -> None:
    """A batch of nothing changes nothing and makes nothing due."""
    state, (due,) = feed([ask("q")])
    before = state.digest()
    _, dues = feed([], state=state)
    empty = state.apply(batch_of([]), CUES)
    assert dues == []
    assert len(empty.rows) == 0
    assert len(due.rows) == 0
    assert state.digest() == before


def test_row_sizes() -> None:
    """An account's row is at most 3 KB, a key's or end user's at most 256 bytes."""
    assert ACCOUNT_ROW.itemsize <= 3072
    assert NARROW_ROW.itemsize <= 256


def test_bytes_per_account_with_index() -> None:
    """Row, index entry and name together stay within 3,200 bytes an account."""
    table, n = account_table(), 20_000
    names = [account_name("default", f"account-{i:012d}") for i in range(n)]
    for name in names:
        table.row_of(identity(name), name)
    overhead = table._index.nbytes + sys.getsizeof(table.names)
    overhead += sum(sys.getsizeof(name) for name in names)
    assert ACCOUNT_ROW.itemsize + overhead / n <= 3200


def filled(names: str, last_s: list[float]) -> EntityTable:
    """A table of short rows with the given last event times."""
    table = narrow_table()
    for name, t in zip(names, last_s, strict=True):
        at = table.row_of(identity(name), name)
        table.rows[at]["last_s"] = t
    return table


def test_eviction_frees_and_reuses_rows() -> None:
    """Idle rows are dropped and zeroed; new entities take the freed rows, lowest first."""
    table = filled("abcdef", [1.0, 9.0, 2.0, 9.0, 3.0, 9.0])
    assert table.evict_idle(5.0) == 3
    assert [name for name, _ in table.items()] == ["b", "d", "f"]
    assert table.find(identity("a")) is None
    assert table.find(identity("b")) == 1
    assert [table.row_of(identity(n), n) for n in "xyz"] == [0, 2, 4]
    assert table.row_of(identity("w"), "w") == 6
    assert table.rows[0] == np.zeros((), NARROW_ROW)
    assert len(table) == 7


def test_eviction_bounds() -> None:
    """An entity exactly as old as the limit stays; evicting twice or from nothing drops nothing."""
    table = filled("ab", [5.0, 4.0])
    assert table.evict_idle(5.0) == 1
    assert table.evict_idle(5.0) == 0
    assert [name for name, _ in table.items()] == ["a"]
    assert narrow_table().evict_idle(5.0) == 0


def test_the_digest_does_not_depend_on_the_rows_place() -> None:
    """Two tables with the same entities in other rows have one digest."""
    one = filled("abc", [1.0, 2.0, 3.0])
    two = filled("xcba", [0.0, 3.0, 2.0, 1.0])
    two.evict_idle(0.5)
    assert one.digest() == two.digest()


def test_growth_keeps_rows() -> None:
    """A table that grows keeps what its rows hold."""
    table = narrow_table()
    for i in range(1000):
        at = table.row_of(identity(f"n{i}"), f"n{i}")
        table.rows[at]["requests"] = i
    rows = [table.rows[table.row_of(identity(f"n{i}"), f"n{i}")]["requests"] for i in range(1000)]
    assert rows == list(range(1000))
    assert len(table) == 1000


def test_an_evicted_account_starts_anew() -> None:
    """After eviction an account is as if never seen, and others are untouched."""
    quiet = [ask(f"q{i}", key="k", end_user="u") for i in range(5)]
    busy = [ask(f"q{i}", account="busy") for i in range(5)]
    state, _ = feed(quiet, [T0_S + i for i in range(5)], cues=CUES)
    feed(busy, [T0_S + 40 * DAY_S + i for i in range(5)], cues=CUES, state=state)
    assert state.evict_idle(T0_S + 30 * DAY_S) == 1
    assert (len(state.accounts), len(state.keys), len(state.end_users)) == (1, 0, 0)
    alone, _ = feed(busy, [T0_S + 40 * DAY_S + i for i in range(5)], cues=CUES)
    assert state.digest() == alone.digest()
    feed(quiet, [T0_S + 50 * DAY_S + i for i in range(5)], cues=CUES, state=state)
    again, _ = feed(quiet, [T0_S + 50 * DAY_S + i for i in range(5)], cues=CUES)
    mine, theirs = row_of(state), row_of(again)
    assert mine["requests"] == 5
    np.testing.assert_array_equal(mine["intent_p"], theirs["intent_p"])


def test_eviction_replays_alike() -> None:
    """The same log with eviction at the same places gives the same bytes, whatever the cut."""
    requests, times = traffic(1200, seed=5)
    digests = []
    for size in (600, 50, 7):
        state = PartitionState()
        for a in (0, 600):
            feed(requests[a : a + 600], times[a : a + 600], cues=CUES, state=state,
                 sizes=[size] * 600)  # fmt: skip
            state.evict_idle(times[a + 599] - 20_000.0)
        digests.append(state.digest())
    assert digests[0] == digests[1] == digests[2]


def test_evidence_never_moves_to_a_stranger() -> None:
    """When an evicted end user's row goes to somebody else, nobody inherits the blame."""
    cues: HashedCues = word_cues("reveal")
    early = [ask(f"reveal {w}", end_user="thief") for w in "abcd"]
    state, _ = feed(early, [T0_S + i for i in range(4)], cues=cues)
    feed([ask("hi", end_user="u")], [T0_S + 39 * DAY_S], cues=cues, state=state)
    state.evict_idle(T0_S + 30 * DAY_S)
    other = [ask(f"hello {w}", account="other", end_user="honest") for w in "abcdefghijkl"]
    feed(other, [T0_S + 40 * DAY_S + i for i in range(12)], cues=cues, state=state)
    later = [ask(f"hello {w}", end_user="u") for w in "abcdefgh"]
    _, dues = feed(later, [T0_S + 41 * DAY_S + i for i in range(8)], cues=cues, state=state)
    parts = [int(p) for due in dues for p in due.part[:, 0]]
    assert parts, "the account is due at ten requests or more"
    for at in parts:
        assert at < 0 or (state.end_users.names[at] or "").startswith("default/acme/")
        assert at < 0 or state.end_users.names[at] == "default/acme/thief"


def test_vectors_have_the_registry_s_shape() -> None:
    """Due vectors are float32 with one column a feature, never infinite."""
    requests, times = traffic(600, seed=3)
    _, (due,) = feed(requests, times, cues=CUES)
    for vectors in (due.vectors, due.narrow_vectors):
        assert vectors.dtype == np.float32
        assert vectors.shape[1] == len(FEATURE_NAMES)
        assert not np.isinf(vectors).any()
