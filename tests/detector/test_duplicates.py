"""Recent event ids: what counts as seen, and for how long."""

from __future__ import annotations

from detector.duplicates import RecentIds
from streams.record import ApiRequest


def test_an_id_counts_once_an_account() -> None:
    """The same id again is a duplicate; under another account or tenant it is not."""
    recent = RecentIds(10)
    first = ApiRequest(event_id="e", account="a")
    assert not recent.seen(first)
    assert recent.seen(first)
    assert not recent.seen(ApiRequest(event_id="e", account="b"))
    assert not recent.seen(ApiRequest(event_id="e", account="a", tenant="t"))


def test_the_oldest_is_forgotten_first() -> None:
    """With room for three ids the fourth takes the place of the first; a repeat renews nothing."""
    recent = RecentIds(3)
    one, two, three, four = (ApiRequest(event_id=name) for name in "1234")
    assert [recent.seen(r) for r in (one, two, three, one, four)] == [False] * 3 + [True, False]
    assert [recent.seen(r) for r in (two, three, four)] == [True] * 3
    assert not recent.seen(one)
