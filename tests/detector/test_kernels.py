"""Evidence counts once: novelty, retries, resamples, scoring points and exemplars."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cues import HashedCues
from detector.entities import EXEMPLARS, RING, SYSTEM_RING
from detector.kernels import CUE, POINT, next_point
from streams.columns import EVENT_ID_BYTES, USER
from streams.record import ApiRequest, Message
from tests.detector.builders import (
    DAY_S,
    T0_S,
    ask,
    batch_of,
    features_after,
    feed,
    histories,
    row_of,
    seeded_cues,
    talk,
    told,
    word_cues,
)

CUES = word_cues("reveal")


def counts(requests: list[ApiRequest], cues: HashedCues = CUES) -> tuple[int, int]:
    """(new_pieces, cue_pieces) after the requests."""
    row = row_of(feed(requests, cues=cues)[0])
    return int(row["new_pieces"]), int(row["cue_pieces"])


def new_of(requests: list[ApiRequest]) -> list[int]:
    """Which pieces were new, over all requests in one batch."""
    new: list[int] = feed(requests)[1][0].new.tolist()
    return new


def conversation(turns: int) -> list[ApiRequest]:
    """A conversation as an API sees it: every request repeats what was said before."""
    out, said = [], []
    for i in range(turns):
        said.append(("user", "reveal" if i == 2 else f"question number {chr(97 + i)}"))
        out.append(talk(*said))
        said.append(("assistant", f"answer {chr(97 + i)}"))
    return out


@pytest.mark.parametrize("turns", [1, 3, 20])
def test_a_transcript_resumed_twenty_times_counts_once(turns: int) -> None:
    """The whole transcript sent twenty times more has the same new and cue pieces as once."""
    once = conversation(turns)
    assert counts(once) == (turns, int(turns > 2))
    assert counts(once + [once[-1]] * 20) == counts(once)
    assert counts(once * 20) == counts(once)


def test_a_long_transcript_resumed_twenty_times_counts_once() -> None:
    """So does one of more messages than the ring holds."""
    last = conversation(RING)[-1]
    assert counts([last]) == counts([last] * 20) == (1, 0)


def test_a_transcript_logged_only_at_its_end() -> None:
    """Of a transcript first seen whole, only this turn's text is evidence, once."""
    last = conversation(5)[-1]
    assert counts([last] * 20) == (1, 0)


def test_history_is_known() -> None:
    """User turns that come back as history are known; the row's check of the ring says so."""
    row = row_of(feed(conversation(10))[0])
    assert row["old_pieces"] == row["old_known"] == sum(range(10))


def test_a_retry_is_no_resample() -> None:
    """A failed attempt marks nothing as seen, so the attempt after it is new; a repeat after an
    answer is known."""
    assert new_of([ask("q", status=429), ask("q", status=500), ask("q"), ask("q")]) == [0, 0, 1, 0]
    assert new_of([ask("q", status="failure"), ask("q", status="success")]) == [0, 1]
    assert counts([ask("reveal", status=429)] * 9) == (0, 0)
    assert counts([ask("reveal", status=429)] * 9 + [ask("reveal")] * 9) == (1, 1)


def test_a_fallback_counts_once() -> None:
    """The same prompt refused by one model and answered by another is one new piece."""
    refused = ask("reveal", model="large", status=529)
    assert counts([refused, ask("reveal", model="small")]) == (1, 1)


def test_unknown_status_counts_as_answered() -> None:
    """A log without status still has new pieces, each once."""
    assert counts([ask("reveal", status=None)] * 3) == (1, 1)


def test_system_prompts_are_no_user_pieces() -> None:
    """A system prompt that changes every time adds no user piece, given apart or in the list."""
    apart = [ask("reveal", system=f"You are helper {chr(97 + i)}. reveal") for i in range(20)]
    listed = [
        talk(("system", f"You are {chr(97 + i)}. reveal"), ("user", "reveal")) for i in range(20)
    ]
    assert counts(apart) == counts(listed) == (1, 1)


def test_roles_are_apart() -> None:
    """The same text as system prompt, tool result and user turn is three pieces."""
    same = [ask("text", system="text"), talk(("user", "x"), ("tool", "text"), ("user", "text"))]
    assert new_of(same) == [1, 1, 1, 1, 0]


def test_white_space_around_a_text_does_not_make_it_new() -> None:
    """The same text with other outer white space is known."""
    assert new_of([ask("hello"), ask("  hello\n"), ask("hel lo")]) == [1, 0, 1]


def test_accounts_do_not_share_what_they_know() -> None:
    """The same text of another account is new to that account."""
    assert new_of([ask("q"), ask("q", account="other"), ask("q", account="other")]) == [1, 1, 0]


def test_the_ring_holds_the_last_pieces() -> None:
    """A text is known until RING others came after it; system prompts until SYSTEM_RING others."""
    names = [f"{a}{b}" for a in "abcdefghijklmnop" for b in "abcdefghij"]
    near = [ask("q"), *(ask(n) for n in names[: RING - 1]), ask("q")]
    far = [ask("q"), *(ask(n) for n in names[:RING]), ask("q")]
    assert new_of(near)[-1] == 0
    assert new_of(far)[-1] == 1
    systems = [f"You are {n}." for n in names[:SYSTEM_RING]]
    kept = [ask("q", system=s) for s in [*systems, systems[0]]]
    lost = [ask("q", system=s) for s in [*systems, "One more.", systems[0]]]
    assert new_of(kept)[-2] == 0
    assert new_of(lost)[-2] == 1
    busy = [ask("a", system=systems[0]), *(ask(n) for n in names), ask("b", system=systems[0])]
    assert new_of(busy)[-2] == 0


@settings(max_examples=40, deadline=None)
@given(histories())
def test_novelty_equals_the_definition(history: tuple[list[ApiRequest], list[float]]) -> None:
    """New user pieces are those that the plain reading of design.md finds, in order."""
    facts = told(*history)
    _, (due,) = feed(*history, cues=seeded_cues())
    batch = batch_of(*history)
    now = (batch.pieces["role"] == USER) & (batch.pieces["last_turn"] == 1)
    for i, f in enumerate(facts):
        mine = now & (batch.pieces["event"] == i)
        assert int(due.new[mine].sum()) == len(f.fresh)


def test_scoring_points() -> None:
    """Points are at 10, 20, 30, 50, 75, 100, 150, 200, then a third more; each made once."""
    points, n = [], 0
    while n < 1000:
        n = int(next_point(n))
        points.append(n)
    assert points == [10, 20, 30, 50, 75, 100, 150, 200, 266, 354, 472, 629, 838, 1117]
    _, (due,) = feed([ask("hi") for _ in range(300)], cues=CUES)
    assert (due.event + 1).tolist() == points[:9]
    assert set(due.why.tolist()) == {POINT}
    assert due.rows["requests"].tolist() == points[:9]


def test_cues_make_an_account_due() -> None:
    """After the 1st, 2nd, 4th and 8th cue piece an account is due at once."""
    requests = [ask(f"reveal {chr(97 + i)}") for i in range(9)]
    _, (due,) = feed(requests, cues=CUES)
    assert (due.event + 1).tolist() == [1, 2, 4, 8]
    assert set(due.why.tolist()) == {CUE}
    many = talk(*[("user", f"reveal {chr(97 + i)}") for i in range(3)])
    _, (at_once,) = feed([many, ask("reveal x"), ask("reveal y")], cues=CUES)
    assert at_once.event.tolist() == [0, 1]


def test_exemplars_are_the_strongest_requests() -> None:
    """The ids kept are of the requests with most evidence, whatever came later; long ids fit."""
    ids = [f"id-{i}" for i in range(40)]
    ids[20] = "x" * 300
    requests = [
        ask("reveal " + "abc"[i // 12] if i in (8, 20, 30) else f"hello {i}", event_id=ids[i])
        for i in range(40)
    ]
    row = row_of(feed(requests, cues=CUES)[0])
    kept = row["exemplar"].tobytes()
    names = [
        kept[k * EVENT_ID_BYTES : (k + 1) * EVENT_ID_BYTES].rstrip(b"\0").decode()
        for k in range(EXEMPLARS)
    ]
    short = batch_of([requests[20]]).event_ids[0].tobytes().rstrip(b"\0").decode()
    assert sorted(names) == sorted(["id-8", short, "id-30"])


def test_unattributed_requests_change_nothing() -> None:
    """A request without an account gets no row and makes nothing due."""
    quiet = word_cues("reveal")
    plain, due = feed([ask("a"), ask("b")], cues=quiet)
    mixed, mixed_due = feed(
        [ask("a"), ask("x", account=None), ask("y", account=""), ask("b")],
        [T0_S, T0_S + 1, T0_S + 2, T0_S + 60.0],
        cues=quiet,
    )
    assert plain.digest() == mixed.digest()
    assert len(mixed.accounts) == 1
    assert len(due[0].event) == len(mixed_due[0].event) == 0


def test_recent_requests_weigh_more() -> None:
    """A week's half-life: what an account did half a year ago has faded from its shares."""
    old = [ask(f"old {w}", temperature=0.0) for w in "abcdefghij"]
    new = [ask(f"new {w}", temperature=1.0) for w in "klmnopqrst"]
    times = [T0_S + i for i in range(10)] + [T0_S + 7 * DAY_S + i for i in range(10)]
    got = features_after(old + new, times)["zero_temperature_share"]
    assert got == pytest.approx(1 / 3, abs=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_accounts_do_not_disturb_each_other(seed: int) -> None:
    """Interleaving two accounts' requests leaves each with the features it has alone."""
    rng = np.random.default_rng(seed)
    mine = [(ask(f"mine {rng.choice(list('abcde'))}", key="k"), T0_S + 9.0 * i) for i in range(25)]
    theirs = [
        (ask(f"theirs {rng.choice(list('abcde'))}", key="k", account="zed"), T0_S + 7.0 * i)
        for i in range(25)
    ]
    alone = row_of(feed([r for r, _ in mine], [t for _, t in mine])[0])
    both = sorted(mine + theirs, key=lambda pair: pair[1])
    mixed = row_of(feed([r for r, _ in both], [t for _, t in both])[0])
    for name in alone.dtype.names or ():
        if name not in ("blame_user", "blame_key"):  # rows of the shared table
            assert np.array_equal(alone[name], mixed[name], equal_nan=True), name


def test_many_messages_in_one_request() -> None:
    """A request of thousands of messages is counted without a fault."""
    messages = [Message("user", f"reveal {i} {chr(97 + i % 26)}") for i in range(5000)]
    row = row_of(feed([ask(messages=messages)], cues=CUES)[0])
    assert row["requests"] == 1
    assert row["new_pieces"] > 0
