"""The cohort book: accounts that act as one are told of, crowds that share a tool are not."""

from __future__ import annotations

import msgspec
import pytest

from detector.links.book import CohortBook, CohortSettings
from detector.links.cleared import CLEARED, UNCLEARED, cleared
from detector.links.sighting import Sighting
from tests.detector.builders import T0_S
from tests.detector.links.crowds import FRAME, harvest, in_order, members, sighting, strangers, told

TWO_HUNDRED = 200


def test_a_sharded_harvest_is_one_campaign_and_no_stranger_is_in_it() -> None:
    """Told of before a sixth of its accounts came; the core is at throttle."""
    changes = told(in_order(harvest(TWO_HUNDRED), strangers(1000)))
    assert {change.campaign for change in changes} == {changes[0].campaign}
    assert changes[0].change == "opened"
    assert changes[0].size <= TWO_HUNDRED // 6  # 48 items, before which shards say nothing
    assert set(members(changes)) == {f"h{n}" for n in range(TWO_HUNDRED)}
    assert set(members(changes).values()) == {"throttle"}
    kinds = {link.kind for link in changes[-1].links}
    assert kinds == {"template", "shard", "parameters", "pacing"}
    assert changes[-1].exemplars[0] == "h0-1"


def test_a_member_is_told_by_its_third_request() -> None:
    """An account that comes after the alert is at throttle an epoch after its third request."""
    changes = told(in_order(harvest(TWO_HUNDRED), strangers(1000)))
    late = {m.account: c.at_s for c in changes for m in c.members if m.verdict == "throttle"}
    for n in range(100, TWO_HUNDRED):
        assert late[f"h{n}"] <= T0_S + 20.0 * n + 600.0 + 60.0


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_the_cut_into_batches_changes_nothing(size: int) -> None:
    """Epochs come from the event times alone."""
    seen = in_order(harvest(60), strangers(300))
    whole = told(seen)
    book, changes = CohortBook(CohortSettings()), []
    for start in range(0, len(seen), size):
        for one in seen[start : start + size]:
            for epoch_s in book.due(one.at_s):
                changes += book.cut(epoch_s)
            book.apply(one)
    assert msgspec.json.encode(changes + book.finish()) == msgspec.json.encode(whole)


def test_a_crowd_that_asks_the_same_items_is_none() -> None:
    """A course, a benchmark: one frame, the same items."""
    sheet = [hash_ * 7919 for hash_ in range(1, 4)]
    assert told(in_order(harvest(TWO_HUNDRED, items=sheet), strangers(1000))) == []


def test_accounts_of_one_organisation_are_none() -> None:
    """One customer with many keys may cut its own batch as it likes."""
    assert told(in_order(harvest(TWO_HUNDRED, organisation="org"), strangers(1000))) == []


def test_users_of_a_tool_with_their_own_pace_and_parameters_are_none() -> None:
    """A fixed prompt of an app: items, pauses and parameters of their own, dialogues."""

    def users() -> list[Sighting]:
        return [
            msgspec.structs.replace(
                seen, pause=3.0 + n % 7, pause_spread=1.8, one_shot=seen.one_shot // 2,
                key=seen.key if seen.kind == "opening" else f"{n % 31:016x}",
            )
            for n, seen in enumerate(harvest(TWO_HUNDRED))
        ]  # fmt: skip

    assert told(in_order(iter(users()), strangers(1000))) == []


def test_a_common_ending_alone_makes_nobody_a_member() -> None:
    """Strangers' texts end like the campaign's: nothing else ties them to it."""
    same_end = (
        sighting(f"x{n}", kind="closing", key="c" * 16, at_s=T0_S + 9.0 * n, under=2, requests=2)
        for n in range(50)
    )
    own_end = (
        msgspec.structs.replace(seen, kind="closing", key="c" * 16)
        for seen in harvest(TWO_HUNDRED)
        if seen.kind == "opening"
    )
    changes = told(in_order(harvest(TWO_HUNDRED), own_end, same_end, strangers(1000)))
    assert changes
    assert all(name.startswith("h") for name in members(changes))


def test_who_was_cleared_stays_cleared() -> None:
    """An account before it is a member, another one afterwards; a campaign whole."""
    first = cleared(
        CLEARED, "default", account="h3", organisation="", at_s=T0_S + 1.0, until_s=T0_S + 1e6
    )
    changes = told(in_order(harvest(100), iter([first]), strangers(1000)))
    assert members(changes)["h3"] == "allow"
    assert members(changes)["h4"] == "throttle"

    end_s = T0_S + 20.0 * 100 + 700.0
    campaign = changes[0].campaign
    undone = cleared(
        CLEARED, "default", account="", organisation=campaign, at_s=end_s, until_s=end_s + 1e6
    )
    after = (
        msgspec.structs.replace(seen, at_s=seen.at_s + 4000.0, account="h7") for seen in harvest(1)
    )
    changes = told(in_order(harvest(100), iter([undone]), after, strangers(1000)))
    assert set(members(changes).values()) == {"allow"}


def test_an_end_of_the_clearance_brings_the_verdict_back_with_the_next_sighting() -> None:
    """A person takes it back."""
    word = cleared(
        CLEARED, "default", account="h3", organisation="", at_s=T0_S + 1.0, until_s=T0_S + 1e6
    )
    back = cleared(
        UNCLEARED, "default", account="h3", organisation="", at_s=T0_S + 3000.0, until_s=None
    )
    changes = told(in_order(harvest(100), iter([word, back]), strangers(1000)))
    assert members(changes)["h3"] == "throttle"


def test_a_tool_given_by_table_carries_no_weight() -> None:
    """Keys that many unrelated accounts share are switched off from outside."""
    book, changes = CohortBook(CohortSettings(), tools=[FRAME]), []
    for seen in in_order(harvest(TWO_HUNDRED), strangers(1000)):
        for epoch_s in book.due(seen.at_s):
            changes += book.cut(epoch_s)
        book.apply(seen)
    assert changes + book.finish() == []


def test_tenants_are_apart() -> None:
    """Half of the accounts with another tenant each are two campaigns."""
    parts = (
        (msgspec.structs.replace(seen, tenant=tenant) for seen in part)
        for tenant in ("a", "b")
        for part in (harvest(100, prefix=tenant), strangers(500))
    )
    changes = told(in_order(*(iter([*part]) for part in parts)))
    assert len({change.campaign for change in changes}) == 2
    for change in changes:
        assert {member.tenant for member in change.members} <= {change.tenant}


def test_a_campaign_ends_when_nothing_of_it_is_seen_for_a_week() -> None:
    """It is told as closed, and its members are free."""
    late = (sighting("s1", at_s=T0_S + 9 * 86_400.0 + 60.0 * n, key="e" * 16) for n in range(2))
    changes = told(in_order(harvest(100), strangers(500), late))
    assert changes[-1].change == "closed"
