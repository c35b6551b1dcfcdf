"""Every family of links: named, with its false friend stated, its keys told alike in any batch."""

from __future__ import annotations

import re
from types import ModuleType

import msgspec
import numpy as np
import pytest

from detector.links import FAMILIES, FAMILY_OF, KINDS
from detector.links.seen import MAX_AN_HOUR
from streams.record import ApiRequest
from tests.detector.builders import T0_S, ask, feed, talk

LONG = "You are the support voice of a small shop for bicycles and must always be polite."
FIRST = "Name the rivers that flow through old towns"


def showing() -> dict[str, list[tuple[float, ApiRequest]]]:
    """For each kind, requests of an account that shows it."""
    dialogue = (("user", FIRST), ("assistant", "The Danube."), ("user", "And the next one?"))
    return {
        "opening": [(0.0, ask("Write a question about old bridges"))],
        "closing": [(0.0, ask("Old bridges: write a question about them"))],
        "system": [(0.0, ask("hello", system=LONG))],
        "tools": [(0.0, ask("hello", tools='[{"name":"look_up"}]'))],
        "parameters": [(0.0, ask("hello", model="m", temperature=0.5))],
        "continuity": [(0.0, ask("hello")), (60.0, talk(*dialogue))],
        "handover": [(0.0, ask("hello", model="m")), (60.0, talk(*dialogue, model="m"))],
        "pacing": [(137.0 + 30.0 * n, ask(f"item {n} of mine")) for n in range(12)],
        "signup": [(0.0, ask("hello", account_created_s=T0_S - 86_400.0))],
    }


def keys_of(kind: str, account: str) -> set[int]:
    """Keys of that kind that such an account is told with."""
    given = showing()[kind]
    requests = [msgspec.structs.replace(request, account=account) for _, request in given]
    _, due = feed(requests, [T0_S + at_s for at_s, _ in given])
    seen = np.concatenate([part.seen for part in due])
    return set(seen["key"][seen["kind"] == KINDS.index(kind)].tolist())


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.FAMILY)
def test_a_family_states_its_false_friend(family: ModuleType) -> None:
    """In a constant and, at length, in the docstring."""
    assert family.FALSE_FRIEND
    assert re.search(r"^False friend: \S", family.__doc__ or "", re.MULTILINE)
    assert all(FAMILY_OF[kind] == family.FAMILY for kind in family.KINDS)


def test_names_are_unique() -> None:
    """Of families and of kinds, and none is an address, a header or TLS."""
    assert len(set(KINDS)) == len(KINDS)
    assert len({family.FAMILY for family in FAMILIES}) == len(FAMILIES)
    assert not {"address", "network", "header", "tls", "agent"} & {*KINDS, *FAMILY_OF.values()}
    assert set(showing()) == set(KINDS), "every kind has an example here"


@pytest.mark.parametrize("kind", KINDS)
def test_two_accounts_that_show_the_same_have_the_same_key(kind: str) -> None:
    """And whoever shows something else has another."""
    mine = keys_of(kind, "a")
    assert mine
    assert keys_of(kind, "b") == mine


@pytest.mark.parametrize("kind", KINDS)
def test_no_address_and_no_header_makes_or_changes_a_key(kind: str) -> None:
    """Both are imitated too easily."""
    given = showing()[kind]
    marks = {"client_ip": "f" * 16, "network": "10.1.2.0/24", "user_agent": "x/1", "sdk": "y/2"}
    requests = [msgspec.structs.replace(request, account="a", **marks) for _, request in given]
    _, due = feed(requests, [T0_S + at_s for at_s, _ in given])
    seen = np.concatenate([part.seen for part in due])
    assert set(seen["key"][seen["kind"] == KINDS.index(kind)].tolist()) == keys_of(kind, "a")


@pytest.mark.parametrize("sizes", [(1,) * 400, (7,) * 60, (5000,)])
def test_the_cut_into_batches_changes_no_sighting(sizes: tuple[int, ...]) -> None:
    """Nor the rows."""
    made = [
        (T0_S + at_s + 5.0 * n, msgspec.structs.replace(request, account=f"a{n}"))
        for n in range(4)
        for kind in KINDS
        for at_s, request in showing()[kind]
    ]
    made.sort(key=lambda pair: pair[0])
    times, requests = [at_s for at_s, _ in made], [request for _, request in made]
    whole, all_due = feed(requests, times)
    state, due = feed(requests, times, sizes=sizes)
    seen, wanted = np.concatenate([part.seen for part in due]), all_due[0].seen
    assert len(wanted) > 50
    for name in wanted.dtype.names or ():
        if name != "event":  # its number in the batch
            assert np.array_equal(seen[name], wanted[name], equal_nan=wanted[name].dtype == "f4")
    assert state.digest() == whole.digest()


def test_an_account_is_told_a_few_times_an_hour_at_most() -> None:
    """However many keys it shows."""
    requests = [ask(f"word{n} other{n} third{n} fourth{n} fifth{n} end{n}", model=f"m{n}")
                for n in range(200)]  # fmt: skip
    _, due = feed([*requests, *requests], [T0_S + 5.0 * n for n in range(400)])
    hours = np.floor(np.array([T0_S + 5.0 * n for n in range(400)]) / 3600.0)
    told = np.bincount((hours[due[0].seen["event"]] - hours[0]).astype(int))
    assert told.max() <= MAX_AN_HOUR


def test_failed_attempts_show_nothing() -> None:
    """A key is shown by what was answered; but an account that begins to fail is told once more."""
    _, due = feed([ask("a question of mine", status=500, model="m")] * 5)
    assert len(due[0].seen) == 0
    answered = ask("a question of mine", model="m")
    _, due = feed([answered, *[ask("another", status=403, error_code="x", model="m")] * 5])
    failed = due[0].seen["failed"]
    assert failed.tolist().count(2) == 1
