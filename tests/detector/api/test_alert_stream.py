"""The alert feed live, over a real HTTP connection."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from detector.api import alert_stream
from detector.api.alert_stream import alert_events
from detector.api.serving import GRACE_S
from detector.store.alert_store import AlertStore
from detector.store.errors import StoreError
from detector.store.news import News
from tests.detector.api.api_case import ApiCase, api_case, until
from tests.detector.api.test_alerts import told
from tests.detector.store.feed import alert, names, record


@pytest.fixture(name="case")
def case_fixture() -> Iterator[ApiCase]:
    with api_case() as case:
        yield case


@dataclass
class Listener:
    """A client of the stream: reads as the specification of server-sent events says."""

    lines: Iterator[str]
    last_id: str = ""
    comments: int = 0
    seen: list[tuple[str, int]] = field(default_factory=list)

    def take(self, count: int) -> list[tuple[str, int]]:
        """Reads until `count` more alerts came; id and revision of these."""
        start = len(self.seen)
        data = ""
        for line in self.lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                self.last_id = value
            elif name == "data":
                data += value
            elif line.startswith(":"):
                self.comments += 1
            elif not line and data:
                self.seen += names([data])
                data = ""
            if not line and len(self.seen) - start >= count:
                break
        return self.seen[start:]


@contextmanager
def listening(
    case: ApiCase, who: str = "viewer", headers: dict[str, str] | None = None, **params: Any
) -> Iterator[Listener]:
    """Opens the stream and reads its first block, so that it is open on the server."""
    with (
        httpx.Client(base_url=case.url, timeout=10.0) as client,
        client.stream(
            "GET", "/v1/alerts/stream", headers={**case.auth(who), **(headers or {})}, params=params
        ) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache"
        listener = Listener(response.iter_lines())
        listener.take(0)
        yield listener


def some(start: int, count: int, **fields: Any) -> list[Any]:
    """Records of `count` alerts on several partitions."""
    return [
        told(alert(f"a-{n}", 1, account=f"acc-{n}", **fields)) for n in range(start, start + count)
    ]


def test_alerts_come_as_they_are_written(case: ApiCase) -> None:
    """Those before the connection are not told, unless asked for from the start."""
    case.append(some(0, 3))
    with listening(case) as live, listening(case, last_event_id="start") as whole:
        assert sorted(whole.take(3)) == [(f"a-{n}", 1) for n in range(3)]
        case.append(some(3, 2))
        assert sorted(live.take(2)) == [("a-3", 1), ("a-4", 1)]
        assert sorted(whole.take(2)) == [("a-3", 1), ("a-4", 1)]
    until(lambda: len(case.service.alerts.news) == 0)


def test_a_resumed_stream_loses_and_doubles_nothing(case: ApiCase) -> None:
    """Cut after any number of events while alerts are written all the time, resumed by header or
    by query: together the connections told each alert once."""
    total = 120

    def write() -> None:
        for n in range(0, total, 3):
            case.log.producer().send(some(n, 3))

    writer = threading.Thread(target=write)
    seen: list[tuple[str, int]] = []
    with listening(case) as first:
        last = first.last_id
    writer.start()
    by_header = True
    while len(seen) < total:
        resume: dict[str, Any] = (
            {"headers": {"Last-Event-ID": last}} if by_header else {"last_event_id": last}
        )
        with listening(case, **resume) as again:
            seen += again.take(min(7, total - len(seen)))
            last = again.last_id
        by_header = not by_header
    writer.join()
    assert len(seen) == total
    assert sorted(seen) == sorted((f"a-{n}", 1) for n in range(total))


def test_any_replica_goes_on_where_another_stopped(case: ApiCase) -> None:
    """The id names places of the topic, so that a second API with a store of its own takes it."""
    case.append(some(0, 10))
    with listening(case, last_event_id="start") as here:
        before = here.take(4)
    with (
        api_case(log=case.log) as other,
        listening(other, headers={"Last-Event-ID": here.last_id}) as there,
    ):
        rest = there.take(6)
    assert sorted(before + rest) == [(f"a-{n}", 1) for n in range(10)]


def test_a_key_hears_its_tenant_only(case: ApiCase) -> None:
    """Another tenant's alerts do not come, and an id from elsewhere brings none of them."""
    with (
        listening(case) as mine,
        listening(case, "other", last_event_id="start") as theirs,
        listening(case, "root") as every,
        listening(case, "root", tenant="other") as one,
    ):
        case.append(some(0, 1, tenant="other"))
        case.append(some(1, 1))
        case.append(some(2, 1, tenant="other"))
        assert mine.take(1) == [("a-1", 1)]
        assert sorted(theirs.take(2)) == sorted(one.take(2)) == [("a-0", 1), ("a-2", 1)]
        assert len(every.take(3)) == 3
    answer = case.get("/v1/alerts/stream", "viewer", tenant="other")
    assert answer.status_code == 403


def test_only_what_reached_a_verdict(case: ApiCase) -> None:
    """The end of an alert that did is told too."""
    with listening(case, min_verdict="restrict") as live:
        case.append([told(alert("a", 1, verdict="watch")), told(alert("b", 1, verdict="block"))])
        case.append(
            [
                told(alert("a", 2, verdict="allow", state="closed")),
                told(alert("b", 2, verdict="allow", state="closed")),
            ]
        )
        assert live.take(2) == [("b", 1), ("b", 2)]


@pytest.mark.parametrize("given", ["x", "0", "0:-1", "0:1,", "0:1;1:2", "0:" + "9" * 30, "٣:٤"])
def test_a_wrong_last_event_id_is_a_problem(given: str, case: ApiCase) -> None:
    """The client is told before a stream begins."""
    answer = case.get("/v1/alerts/stream", last_event_id=given)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_stream_ends_when_the_service_stops() -> None:
    """The server stops without waiting for its listeners, and they see a clean end: each alert
    that was told before is there, and the lines end without an error."""
    with ExitStack() as client_side:
        with api_case() as case:
            live = client_side.enter_context(listening(case))
            case.append(some(0, 2))
            began_s = time.monotonic()
        assert time.monotonic() - began_s < GRACE_S
        assert sorted(live.take(9)) == [("a-0", 1), ("a-1", 1)]


def test_there_is_room_for_so_many(case: ApiCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more gets 503 and when to try again; a place that is given up is free."""
    monkeypatch.setattr(case.service.alerts, "news", News(max_listeners=1))
    with listening(case):
        answer = case.get("/v1/alerts/stream")
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
    until(lambda: len(case.service.alerts.news) == 0)
    with listening(case):
        pass


def test_a_client_that_takes_nothing_is_dropped(
    case: ApiCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives its place up, and comes back where it was."""
    monkeypatch.setattr(alert_stream, "SEND_TIMEOUT_S", 0.3)
    case.append(some(0, 300, case_text="x" * 60_000))
    with listening(case, last_event_id="start") as slow:
        until(lambda: len(case.service.alerts.news) == 0)
        assert slow.seen == []


def _collect(store: AlertStore, count: int, **given: Any) -> list[bytes]:
    """The first `count` pieces of a stream from the start."""

    async def run() -> list[bytes]:
        pieces = []
        events = alert_events(store, asyncio.Event(), None, {}, **given)
        async for piece in events:
            pieces.append(piece)
            if len(pieces) == count:
                break
        return pieces

    return asyncio.run(run())


def test_a_silent_stream_beats() -> None:
    """With a comment, and the id, so that what was filtered out is not read again."""
    with closing(AlertStore("sqlite://")) as store:
        store.apply([record(0, alert("a", 1, verdict="watch"))])
        pieces = _collect(store, 3, min_verdict="block", heartbeat_s=0.01)
    assert pieces[0] == b"id: 0:0\nretry: 3000\n\n"
    assert pieces[1] == pieces[2] == b": nothing new\nid: 0:1\n\n"


def test_an_event_is_the_alert_in_one_line() -> None:
    """A line break in a text is escaped by JSON, so that data is one line."""
    with closing(AlertStore("sqlite://")) as store:
        data = alert("a", 1, case_text="one\ntwo\r\n\u2028")
        store.apply([record(4, data, partition=3)])
        piece = _collect(store, 2)[1]
    name, body, place, *end = piece.decode().split("\n")
    assert (name, place, end) == ("event: alert", "id: 3:5", ["", ""])
    assert json.loads(body.removeprefix("data: ")) == data


def test_a_database_that_goes_away_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client reconnects with its last id, here or elsewhere."""

    def away(*_: object) -> None:
        raise StoreError("db", "gone")

    with closing(AlertStore("sqlite://")) as store:
        monkeypatch.setattr(store, "following", away)
        assert len(_collect(store, 5)) == 1
