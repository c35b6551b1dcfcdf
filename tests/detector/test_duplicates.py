"""Recent event ids: what counts as seen, and for how long."""

from __future__ import annotations

from detector.duplicates import RecentIds
from streams.record import ApiRequest


def test_an_id_counts_once_an_account() -> None:
    """The same id again is a duplicate; under another account or tenant it is not."""
    recent = RecentIds(10)
    first = ApiRequest(event_id="e", account="a")
    others = (
        ApiRequest(event_id="e", account="b"),
        ApiRequest(event_id="e", account="a", tenant="t"),
    )
    assert recent.fresh([first, first, *others]) == [True, False, True, True]
    assert recent.fresh([first, *others]) == [False] * 3


def test_the_oldest_is_forgotten_first() -> None:
    """With room for three ids the fourth takes the place of the first; a repeat renews nothing."""
    recent = RecentIds(3)
    one, two, three, four = (ApiRequest(event_id=name) for name in "1234")
    assert recent.fresh([one, two, three, one, four]) == [True] * 3 + [False, True]
    assert recent.fresh([two, three, four]) == [False] * 3
    assert recent.fresh([one]) == [True]
