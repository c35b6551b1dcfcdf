"""Campaigns and crowds as streams: order, repeatability, cuts, caps, shares, no give-away mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, pairwise

import msgspec
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import FeatureHasher
from sklearn.metrics import roc_auc_score

from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.crowds import CROWDS, SIZES
from streams.traffic.group import Group
from streams.traffic.lists import DISJOINT, draw_list
from streams.traffic.operations import EVASIONS, Evasion
from streams.traffic.population import Population
from streams.traffic.stream import stream
from tests.streams.traffic.crowd_cases import (
    START_S,
    answered,
    crowd,
    operation,
    requests_of,
    strangers,
)

GROUPS: list[Group | Population] = [
    *(operation(evasion, seed=number).group for number, evasion in enumerate(EVASIONS, 1)),
    *(crowd(kind) for kind in CROWDS),
    strangers(40),
]


def _ids(group: Group | Population) -> str:
    return group.name


@pytest.mark.parametrize("group", GROUPS, ids=_ids)
def test_a_group_streams_in_order_and_the_same_again(group: Group | Population) -> None:
    """Event times never fall, none is before the account opens, ids are unique, and a second run
    gives the same bytes."""
    requests = requests_of(group)
    times = [r.event_time_s or 0.0 for r in requests]
    assert all(a <= b for a, b in pairwise(times))
    assert times[0] >= group.opens_s.min() >= START_S
    assert len({r.event_id for r in requests}) == len(requests)
    encoder = msgspec.json.Encoder()
    assert [encoder.encode(r) for r in requests] == [encoder.encode(r) for r in requests_of(group)]


def test_a_merged_stream_is_that_of_its_groups_in_order_of_time() -> None:
    """No request is lost, added or changed by merging; groups are told apart by number."""
    groups: list[Group | Population] = [
        operation(accounts=12).group,
        crowd("course", most=12),
        strangers(12),
    ]
    merged = list(stream(groups, Filler(1)))
    times = [r.event_time_s or 0.0 for _, r in merged]
    assert all(a <= b for a, b in pairwise(times))
    for number, group in enumerate(groups):
        mine = [r for n, r in merged if n == number]
        assert {r.event_id for r in mine} == {r.event_id for r in requests_of(group)}


def test_a_stream_composes_no_more_than_is_due() -> None:
    """The first requests of 20,000 accounts are there without composing the others."""
    group = operation(accounts=20_000, each=26).group
    running = stream([group], Filler(1))
    opened: set[str | None] = set()
    last_s = 0.0
    for _ in range(300):
        _, request = next(running)
        opened.add(request.account)
        last_s = request.event_time_s or 0.0
    begun = int((group.opens_s <= last_s).sum())
    assert len(opened) <= begun + 1 < 10_000


@pytest.mark.parametrize("cut", sorted(DISJOINT))
def test_a_cut_list_gives_every_item_once(cut: str) -> None:
    """Parts of different accounts share no item, and together they are the whole list."""
    items = draw_list(np.random.default_rng(5), cut, accounts=7, each=11)  # type: ignore[arg-type]
    asked = [items.item(account, k) for account in range(7) for k in range(11)]
    assert sorted(asked) == list(range(77))


@pytest.mark.parametrize("seed", range(1, 7))
def test_members_ask_different_items_under_their_cap(seed: int) -> None:
    """A pure campaign asks (nearly) no prompt in two accounts and no account is over its cap."""
    planted = operation(seed=seed)
    requests = answered(requests_of(planted.group))
    each = Counter(r.account for r in requests)
    assert max(each.values()) <= 25
    assert set(each) <= set(planted.group.accounts())
    if planted.share == 1.0:
        prompts = {(r.account, (r.messages or [])[-1].text) for r in requests}
        asked = Counter(text for _, text in prompts)
        assert sum(n for n in asked.values() if n > 1) < 0.12 * len(prompts)


def test_half_ordinary_is_half_ordinary() -> None:
    """Half of the requests are the program's, in every account about so."""
    planted = operation("half_ordinary", accounts=20, each=26)
    actor = planted.group.actor(0)
    assert sum(s.requests for s in actor.strands) == 26
    assert [s.requests for s in actor.strands] == [13, 13]


def test_a_split_conversation_is_replayed_by_others() -> None:
    """Histories contain questions which another account sent."""
    requests = answered(requests_of(operation("split", accounts=12, each=20).group))
    wrote: dict[str, str | None] = {}
    foreign = 0
    for request in requests:
        *history, last = request.messages or []
        wrote.setdefault(last.text, request.account)
        foreign += any(
            wrote.get(m.text, request.account) != request.account
            for m in history
            if m.role == "user"
        )
    assert foreign > 0.4 * len(requests)


def test_keys_change_every_few_hours() -> None:
    """A churning account shows several keys, one after the other; its account stays."""
    requests = requests_of(operation("key_churn", seed=4, accounts=8, each=60).group)
    keys: dict[str | None, list[str | None]] = {}
    for request in requests:
        keys.setdefault(request.account, []).append(request.key)
    assert len(keys) == 8
    changes = [sum(a != b for a, b in pairwise(seen)) for seen in keys.values()]
    assert max(changes) >= 1
    for seen in keys.values():
        assert sum(a != b for a, b in pairwise(seen)) == len(set(seen)) - 1


@pytest.mark.parametrize("evasion", ["paraphrased", "rotated"])
def test_frames_and_parameters_vary_where_they_are_said_to(evasion: Evasion) -> None:
    """Ten frames, or ever other parameters, where the plain campaign has one."""

    def shown(of: Evasion) -> tuple[int, int]:
        planted = operation(of, seed=9)
        programs = {p.templates for p in planted.group.traits.programs}
        requests = answered(requests_of(planted.group))
        own = requests if planted.share == 1.0 else requests[:200]
        return len(programs), len({(r.temperature, r.top_p, r.max_tokens) for r in own})

    plain, varied = shown("none"), shown(evasion)
    if evasion == "paraphrased":
        assert plain[0] == 1
        assert varied[0] >= 8
    else:
        assert varied[1] > 4 * plain[1]


def test_ten_frames_in_turn_come_one_after_the_other() -> None:
    """A member that changes its frame with every request sends them at even pauses, not at once."""
    planted = next(
        p
        for p in (operation("paraphrased", seed=s, accounts=5) for s in range(1, 30))
        if p.group.traits.each == "request" and p.share == 1.0
    )
    for sent in _by_account(answered(requests_of(planted.group))):
        times = np.array([r.event_time_s or 0.0 for r in sent])
        assert np.median(np.diff(times)) > 0.5 * np.ptp(times) / len(times)


def test_reserves_wake_after_the_block() -> None:
    """Where accounts are blocked they send a few refused requests and no more, and as many others
    begin within hours."""
    planted = next(
        p for p in (operation(seed=s) for s in range(1, 9)) if p.group.traits.failover is not None
    )
    failover = planted.group.traits.failover
    assert failover is not None
    requests = requests_of(planted.group)
    refused = Counter(r.account for r in requests if r.status == 403)
    assert refused
    assert max(refused.values()) <= 4
    assert all((r.event_time_s or 0) >= failover.at_s for r in requests if r.status == 403)
    woken = planted.group.opens_s[-int(40 * failover.share) :]
    assert (woken >= failover.at_s).all()
    assert (woken <= failover.at_s + failover.wake_s).all()


@pytest.mark.parametrize("kind", CROWDS)
def test_crowds_keep_their_size_and_vary(kind: str) -> None:
    """Between 20 and 2,000 accounts; two draws of a kind differ in size and programs."""
    draws = [crowd(kind, seed=s, most=5000).traits for s in range(1, 12)]
    assert all(SIZES[0] <= t.members <= SIZES[1] for t in draws)
    assert len({t.members for t in draws}) > 5
    assert len({tuple(p.id for p in t.programs) for t in draws}) > 2


def test_what_crowds_share_is_what_such_crowds_share() -> None:
    """Students ask the same items, labs too; staff and the one customer have one owner; an
    extension's users have no item in common."""

    def overlap(kind: str) -> float:
        """Part of the opening requests whose prompt another account sent too."""
        openings = [
            ((r.messages or [])[-1].text, r.account)
            for r in answered(requests_of(crowd(kind, seed=3)))
            if sum(m.role == "user" for m in r.messages or []) == 1
        ]
        senders: dict[str, set[str | None]] = {}
        for text, account in openings:
            senders.setdefault(text, set()).add(account)
        return sum(len(senders[text]) > 1 for text, _ in openings) / len(openings)

    assert overlap("benchmark_labs") > 0.5
    assert overlap("course") > 0.4
    assert overlap("browser_extension") < 0.2
    for kind in ("staff", "one_customer"):
        assert len({r.organisation for r in requests_of(crowd(kind))}) == 1


def test_strangers_do_not_share_wordings() -> None:
    """Of 400 strangers no frame's beginning or end is in more than one in twenty, though they run
    the same few hundred programs: else unrelated customers would look like a campaign."""
    heads: dict[str, set[str | None]] = {}
    for request in requests_of(strangers(400, seed=4)):
        text = (request.messages or [])[0].text
        for part in (request.system or text, text[:60], text[-60:]):
            heads.setdefault(part, set()).add(request.account)
    assert max(len(who) for who in heads.values()) <= 20


def test_headers_ids_and_plans_do_not_give_campaigns_away() -> None:
    """A forest on everything but text, time and answers, trained on some campaigns and crowds,
    cannot tell the accounts of others apart."""
    campaigns = [requests_of(operation(seed=s, accounts=25, each=6).group) for s in range(1, 17)]
    kinds = list(CROWDS)
    crowds = [requests_of(crowd(kinds[s % len(kinds)], seed=s, most=25)) for s in range(1, 17)]
    rows, labels, half = [], [], []
    for label, groups in ((1, campaigns), (0, crowds)):
        for number, group in enumerate(groups):
            for account in _by_account(group):
                rows.append(_outside(account))
                labels.append(label)
                half.append(number % 2)
    x = FeatureHasher(512, input_type="string").transform(rows).toarray()
    y, fold = np.array(labels), np.array(half)
    aucs = []
    for test in (0, 1):
        forest = RandomForestClassifier(200, min_samples_leaf=3, random_state=0)
        forest.fit(x[fold != test], y[fold != test])
        aucs.append(roc_auc_score(y[fold == test], forest.predict_proba(x[fold == test])[:, 1]))
    assert 0.3 < float(np.mean(aucs)) < 0.7, aucs


def _by_account(requests: Sequence[ApiRequest]) -> list[list[ApiRequest]]:
    found: dict[str | None, list[ApiRequest]] = {}
    for request in requests:
        found.setdefault(request.account, []).append(request)
    return list(found.values())


def _outside(requests: Sequence[ApiRequest]) -> list[str]:
    """Words for shapes and names around an account's requests."""
    first = requests[0]
    agent = (first.user_agent or "").split("/", maxsplit=1)[0]
    return [
        f"agent {agent}", f"sdk {(first.sdk or '').split('/', maxsplit=1)[0]}",
        f"provider {first.provider}", f"model {first.model}", f"endpoint {first.endpoint}",
        f"account {_shape(first.account)}", f"organisation {_shape(first.organisation)}",
        f"key {_shape(first.key)}", f"keys {len({r.key for r in requests})}",
        f"networks {len({r.network for r in requests})}", f"plan {first.plan_limit}",
        f"block {(first.network or '').rsplit('.', 2)[0]}",
        *chain.from_iterable(
            (f"status {r.status}", f"stream {r.stream}", f"error {r.error_code}")
            for r in requests[:3]
        ),
    ]  # fmt: skip


def _shape(name: str | None) -> str:
    """Prefix and length of an id."""
    return f"{(name or '').split('_')[0]}{len(name or '')}"
