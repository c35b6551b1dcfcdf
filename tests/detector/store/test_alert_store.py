"""The alert feed's store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.store.alert_query import AlertFilter, Bookmark
from detector.store.alert_store import AlertStore, FeedItem
from detector.store.errors import AnotherTopic, StoreError
from streams.log import LogRecord
from tests.detector.store.feed import T0_S, alert, names, record, value_of

EVERYTHING = AlertFilter(tenant=None)


def listed(store: AlertStore, **wanted: Any) -> list[tuple[str, int]]:
    """Id and revision of every alert that a filter lets pass."""
    wanted.setdefault("tenant", None)
    return names(store.page(AlertFilter(**wanted), 1000).bodies)


@contextmanager
def temporary() -> Iterator[AlertStore]:
    """A store that goes away."""
    with closing(AlertStore("sqlite://")) as made:
        yield made


def test_the_latest_revision_is_listed_as_it_stood_on_the_topic(store: AlertStore) -> None:
    """Unknown fields and all: what a later release adds is passed on."""
    told = alert("a", 2, novelty={"β": [1, "\u0000"]})
    store.apply([record(0, alert("a", 1)), record(3, told), record(4, alert("b", 1))])
    page = store.page(EVERYTHING, 10)
    assert names(page.bodies) == [("a", 2), ("b", 1)]
    assert json.loads(page.bodies[0]) == told
    assert page.after is None
    assert listed(store, every_revision=True) == [("a", 2), ("b", 1), ("a", 1)]
    assert names(store.revisions(None, "a")) == [("a", 2), ("a", 1)]
    assert store.positions() == {0: 5}


def test_records_taken_in_again_change_nothing(store: AlertStore) -> None:
    """After a restart or beside another replica the same records come again, cut otherwise."""
    records = [record(i, alert(f"a-{i % 3}", 1 + i // 3)) for i in range(9)]
    assert store.apply(records[:5]).alerts == 5
    assert store.apply(records[2:7]).alerts == 2
    assert store.apply(records).alerts == 2
    assert store.apply(records).alerts == 0
    assert listed(store) == [("a-2", 3), ("a-1", 3), ("a-0", 3)]
    assert len(listed(store, every_revision=True)) == 9


def test_a_revision_told_twice_is_kept_once(store: AlertStore) -> None:
    """A worker without transactions may write a revision again at a later offset."""
    taken = store.apply([record(0, alert()), record(1, alert()), record(7, alert(), partition=1)])
    assert (taken.alerts, taken.repeated) == (1, 2)
    assert store.apply([record(8, alert())]).repeated == 1
    assert listed(store, every_revision=True) == [("a-1", 1)]
    assert store.positions() == {0: 9, 1: 8}


def test_revisions_in_the_wrong_order_or_on_two_partitions(store: AlertStore) -> None:
    """When partitions were added, a later revision may lie elsewhere and be read first."""
    store.apply([record(5, alert("a", 2), partition=1), record(6, alert("a", 3), partition=1)])
    store.apply([record(9, alert("a", 1), partition=0)])
    assert listed(store) == [("a", 3)]


def test_a_topic_made_anew_is_not_taken_for_the_old_one(store: AlertStore) -> None:
    """Its first records would else be passed over as known."""
    store.apply([record(0, alert("a")), record(1, alert("b"))])
    with pytest.raises(AnotherTopic, match="another database"):
        store.apply([record(0, alert("x")), record(1, alert("y"))])
    assert sorted(listed(store)) == [("a", 1), ("b", 1)]


BAD = {
    "no JSON": b"\xff\x00",
    "another schema": value_of(alert()).replace(b"schema:alert:1", b"schema:alert:2"),
    "a field is missing": value_of({k: v for k, v in alert().items() if k != "verdict"}),
    "an unknown verdict": value_of(alert(verdict="banish")),
    "a time without zone": value_of(alert(revised_at="2026-01-01T00:00:00")),
    "a name without end": value_of(alert(account="x" * 5000)),
    "a huge revision": value_of({**alert(), "revision": 2**40}),
    "not UTF-8 in a field that is not read": value_of(alert(x="@@")).replace(b"@@", b"\xff\xff"),
    "empty": b"",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_counted_and_stops_nothing(name: str, store: AlertStore) -> None:
    """Those before and after it are taken in, in the same batch."""
    records = [record(0, alert("a")), record(1, BAD[name]), record(2, alert("b"))]
    taken = store.apply(records)
    assert (taken.alerts, taken.bad_records) == (2, 1)
    assert store.apply([replace(record(3, b""), tombstone=True)]).bad_records == 1
    assert store.bad_records() == 2
    assert sorted(listed(store)) == [("a", 1), ("b", 1)]
    assert store.positions() == {0: 4}


@pytest.mark.parametrize("name", ["nul\0", "back\\slash", "back\\0", "\U0001f40d" * 512, "'; --"])
def test_any_name_is_stored_and_found_again(name: str, store: AlertStore) -> None:
    """PostgreSQL takes no NUL in a text, and no long index entry."""
    fields: dict[str, Any] = {"account": name, "scope_id": name, "tenant": name, "main_group": name}
    store.apply([record(0, alert("a", **fields)), record(1, alert("b"))])
    found = AlertFilter(tenant=name, account=name, scope_id=name, main_group=name)
    (body,) = store.page(found, 10).bodies
    assert json.loads(body)["account"] == name


def test_filters(store: AlertStore) -> None:
    """Each filter keeps what it names; several hold at once."""
    store.apply(
        [
            record(0, alert("a", severity="low", verdict="watch", scope="key", scope_id="k")),
            record(
                1, alert("b", severity="critical", verdict="restrict", proposed_verdict="block")
            ),
            record(2, alert("c", account="bolt", reason_code="one", main_group="rate")),
            record(3, alert("d", 2, state="closed", verdict="allow", kind="campaign")),
            record(4, alert("e", 3, tenant="north")),
        ]
    )

    def ids(**wanted: Any) -> str:
        return "".join(sorted(name for name, _ in listed(store, **wanted)))

    assert ids() == "abcde"
    assert ids(tenant="north") == "e"
    assert ids(tenant="nobody") == ""
    assert ids(states=("open", "closed")) == "abcd"
    assert ids(severities=("low", "critical")) == "ab"
    assert ids(kinds=("campaign",)) == "d"
    assert ids(min_verdict="watch") == "abce"
    assert ids(min_verdict="block") == "b"
    assert ids(account="bolt") == ids(reason_code="one") == ids(main_group="rate") == "c"
    assert ids(scope="key", scope_id="k") == "a"
    assert ids(scope="key", scope_id="acme") == ""
    since_ms = int((T0_S + 2) * 1000)
    assert ids(since_ms=since_ms) == "de"
    assert ids(until_ms=since_ms) == "abc"


def test_following_tells_each_revision_once_in_order(store: AlertStore) -> None:
    """Whatever the size of a page: a client that resumes at any event gets exactly the rest."""
    records = [
        record(offset, alert(f"p{partition}-{offset}"), partition)
        for partition in (0, 1, 2)
        for offset in range(0, 10, partition + 1)
    ]
    store.apply(records)
    every = {(r.partition, r.offset) for r in records}
    for limit in (1, 3, 100):
        items: list[FeedItem] = []
        at: dict[int, int] = {}
        while True:
            found, here = store.following(None, at, limit)
            items += found
            if here == at:
                break
            at = here
        places = [
            tuple(map(int, name[1:].split("-"))) for name, _ in names([i.body for i in items])
        ]
        assert len(places) == len(every)
        assert set(places) == every
        for partition in (0, 1, 2):
            mine = [place for place in places if place[0] == partition]
            assert mine == sorted(mine)
        for n in range(len(items)):
            rest, _ = store.following(None, items[n].next_positions, 100)
            assert {i.body for i in rest} == {i.body for i in items[n + 1 :]}


def test_following_keeps_to_a_tenant_and_to_what_reached_a_verdict(store: AlertStore) -> None:
    """The end of an alert that reached the verdict is told, of others nothing; what is filtered
    out moves the positions."""
    store.apply(
        [
            record(0, alert("a", 1, verdict="throttle")),
            record(1, alert("b", 1, verdict="watch")),
            record(2, alert("c", 1, verdict="block", tenant="north")),
        ]
    )
    store.apply(
        [
            record(3, alert("a", 2, verdict="allow", state="closed")),
            record(4, alert("b", 2, verdict="allow", state="closed")),
        ]
    )
    items, at = store.following("default", {}, 100, "throttle")
    assert names([item.body for item in items]) == [("a", 1), ("a", 2)]
    assert at == {0: 5}
    assert store.following("default", at, 100, "throttle") == ([], at)
    ahead = {0: 900, 7: 3}
    assert store.following("default", ahead, 100) == ([], ahead)


def test_news_ring_after_each_batch(store: AlertStore) -> None:
    """What rang is already stored, so that a listener which looks finds it."""
    seen: list[list[tuple[str, int]]] = []
    with store.news.listening(lambda: seen.append(listed(store))):
        store.apply([record(0, alert("a"))])
        store.apply([record(1, alert("b"))])
    store.apply([record(2, alert("c"))])
    assert [len(found) for found in seen] == [1, 2]


def test_pruning_takes_whole_old_alerts(store: AlertStore) -> None:
    """One that was revised lately keeps its old revisions; what went does not come back."""
    old, new = {"revised_at": "2020-01-01T00:00:00Z"}, {"revised_at": "2024-01-01T00:00:00Z"}
    records = [
        record(0, alert("a", 1, **old)),
        record(1, alert("a", 2, **new)),
        record(2, alert("b", 1, **old)),
        record(3, alert("b", 2, **old)),
    ]
    store.apply(records)
    assert store.prune(1_600_000_000.0) == 2
    store.apply(records)
    assert listed(store, every_revision=True) == [("a", 2), ("a", 1)]


def test_replicas_that_share_a_database_lose_and_double_nothing(database_url: str) -> None:
    """Several processes' followers take in the same topic at once, each cut in its own way; every
    reader sees each partition without gaps at all times."""
    records = [record(i // 3, alert(f"a-{i % 7}", 1 + i // 7), i % 3) for i in range(210)]
    gaps: list[str] = []
    failures: list[BaseException] = []

    def replica(cut: int) -> None:
        try:
            with closing(AlertStore(database_url)) as mine:
                for i in range(0, len(records), cut):
                    mine.apply(records[i : i + cut])
                    items, at = mine.following(None, {}, 1000)
                    if len(items) != sum(at.values()):
                        gaps.append(f"{len(items)} rows at {at}")
        except BaseException as error:  # noqa: BLE001  told below, on the test's thread
            failures.append(error)

    threads = [threading.Thread(target=replica, args=(cut,)) for cut in (1, 7, 30, 210)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert not gaps
    with closing(AlertStore(database_url)) as store:
        assert store.positions() == {0: 70, 1: 70, 2: 70}
        assert len(listed(store, every_revision=True)) == 210
        assert listed(store) == [(f"a-{n}", 30) for n in reversed(range(7))]


_moves = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 40)), min_size=1, max_size=40
)


@given(moves=_moves, at_first=st.integers(0, 40), limit=st.integers(1, 4), every=st.booleans())
def test_pages_show_the_feed_as_it_was_at_the_first(
    moves: list[tuple[int, int, int]], at_first: int, limit: int, every: bool
) -> None:
    """However alerts are opened and revised between two pages: the pages together are what one
    large page would have been at the start, in its order, no row twice and none left out."""
    revisions: dict[int, int] = {}
    log: list[LogRecord] = []
    for number, partition, seconds in moves:
        revisions[number] = revisions.get(number, 0) + 1
        revised = f"2026-01-01T00:00:{seconds:02}Z"
        log.append(
            record(len(log), alert(f"a-{number}", revisions[number], revised_at=revised), partition)
        )
    wanted = replace_filter(every)
    with temporary() as store:
        store.apply(log[:at_first])
        rest = iter(log[at_first:])
        whole = store.page(wanted, 1000).bodies
        walked: list[str] = []
        after: Bookmark | None = None
        while True:
            page = store.page(wanted, limit, after)
            walked += page.bodies
            after = page.after
            if after is None:
                break
            store.apply([r for r, _ in zip(rest, range(3), strict=False)])
        assert walked == whole
        order = [(json.loads(b)["revised_at"], *names([b])[0]) for b in whole]
        assert order == sorted(order, reverse=True)


def replace_filter(every_revision: bool) -> AlertFilter:
    """Everything, in its latest or in every revision."""
    return AlertFilter(tenant=None, every_revision=every_revision)


def test_a_database_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    """In one sentence, without the password."""
    for url in ("nonsense", "mysql://u:secret@h/d", "sqlite:///:memory:"):
        with pytest.raises(StoreError) as caught:
            AlertStore(url)
        assert "secret" not in str(caught.value)
    (tmp_path / "alerts.db").write_text("this is no database, and long enough to look at" * 10)
    with pytest.raises(StoreError, match="database"):
        AlertStore(f"sqlite:///{tmp_path}/alerts.db")
    with pytest.raises(StoreError, match="postgresql"):
        AlertStore("postgresql://u:secret@127.0.0.1:1/d")
