"""Accounts composed from programs."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from streams.record import ApiRequest
from streams.traffic.bank import Program, load_bank
from streams.traffic.identity import draw_identity
from streams.traffic.personas import Items, SideChat, compose_account
from streams.traffic.staples import neutral_programs, staple_programs

START_S = 1_789_948_800.0
EVALUATION = Program(
    id="t-eval",
    label="benign",
    kind="evaluate",
    purpose="own test split",
    lang="en",
    user="{question}",
    slots={"question": "question"},
    output="short",
)
AGENT = Program(
    id="t-agent",
    label="benign",
    kind="agent",
    purpose="works on tickets",
    lang="en",
    system="Ticket desk of {company}.",
    user="{ticket}",
    slots={"company": "company", "ticket": "ticket"},
    tools=("look_up", "close_ticket"),
    conversation="agent",
)


def _chat() -> Program:
    return next(program for program in staple_programs() if program.id == "st-chat-en")


def _answered(requests: list[ApiRequest]) -> list[ApiRequest]:
    return [request for request in requests if request.status == 200]


def test_every_program_of_the_bank_composes() -> None:
    """Each program gives exactly the requests asked for, sorted, with unique ids, for one account,
    and every record is valid JSON of the native format."""
    programs = [*load_bank(), *staple_programs(), *neutral_programs()]
    chat = [_chat()]
    for number, program in enumerate(programs):
        made = compose_account(program, requests=9, start_s=START_S, seed=[number, 1], others=chat)
        assert len(_answered(made)) == 9, program.id
        times = [request.event_time_s for request in made]
        assert None not in times
        assert times == sorted(time for time in times if time is not None), program.id
        assert len({request.event_id for request in made}) == len(made), program.id
        assert len({request.account for request in made}) == 1, program.id
        assert {request.source for request in made} == {"native"}
        decoded = msgspec.json.decode(msgspec.json.encode(made), type=list[ApiRequest])
        assert decoded == made, program.id
        assert all(request.messages for request in made), program.id


def test_same_seed_same_account_and_another_seed_another() -> None:
    """An account is a function of its arguments."""
    one = compose_account(AGENT, requests=30, start_s=START_S, seed=3)
    two = compose_account(AGENT, requests=30, start_s=START_S, seed=3)
    other = compose_account(AGENT, requests=30, start_s=START_S, seed=4)
    assert one == two
    assert one[0].account != other[0].account
    assert "agent" not in (one[0].account or "")


def test_history_is_replayed_as_it_grew() -> None:
    """A later message list of a chat begins with an earlier list and the answer given to it."""
    made = _answered(compose_account(_chat(), requests=60, start_s=START_S, seed=2))
    by_start: dict[str, list[ApiRequest]] = {}
    for request in made:
        assert request.messages is not None
        by_start.setdefault(request.messages[0].text, []).append(request)
    grown = 0
    for thread in by_start.values():
        for before, after in pairwise(thread):
            assert before.messages is not None
            assert after.messages is not None
            size = len(before.messages)
            if len(after.messages) > size:
                assert after.messages[:size] == before.messages
                assert after.messages[size].text == before.output_text
                grown += 1
    assert grown >= 5


def test_agents_loop_over_tools() -> None:
    """An agent declares its tools, calls them, and gets results as messages of the role tool."""
    made = _answered(compose_account(AGENT, requests=40, start_s=START_S, seed=6))
    assert all(request.tool_count == 2 and request.tools for request in made)
    assert any(request.finish_reason == "tool_calls" for request in made)
    roles = {message.role for request in made for message in request.messages or ()}
    assert "tool" in roles
    systems = {request.system or (request.messages or [])[0].text for request in made}
    assert len(systems) == 1, "the customer's own name stays the same in its system prompt"


def test_evaluations_run_their_items_again_and_harvests_do_not() -> None:
    """An evaluation asks the same items in several passes; a harvest of the same source asks each
    item once."""
    prompts = {}
    harvest = msgspec.structs.replace(EVALUATION, id="t-harvest", label="extraction", kind="rubric")
    for program in (EVALUATION, harvest):
        made = _answered(compose_account(program, requests=80, start_s=START_S, seed=11))
        texts = [(request.messages or [])[-1].text for request in made]
        prompts[program.id] = len(set(texts)) / len(texts)
    assert prompts["t-eval"] < 0.85
    assert prompts["t-harvest"] > 0.95


def test_items_are_shared_by_seed_and_cut_by_number() -> None:
    """Two accounts over disjoint pieces of one list ask different items, over the same piece the
    same."""

    def texts(first: int, seed: int) -> set[str]:
        items = Items(99, first, 40, tuple(range(8)))
        made = compose_account(
            neutral_programs()[1], requests=40, start_s=START_S, seed=seed, items=items
        )
        return {(request.messages or [])[-1].text for request in made}

    assert len(texts(0, 1) & texts(40, 2)) <= 4
    assert len(texts(0, 1) & texts(0, 2)) >= 20


def test_failed_attempts_are_retried_and_carry_no_answer() -> None:
    """Failures come on top of the answered requests, have the same messages as the request that
    follows, and no output."""
    failures = 0
    for seed in range(12):
        made = compose_account(EVALUATION, requests=50, start_s=START_S, seed=seed)
        assert len(_answered(made)) == 50
        good = [request.messages for request in _answered(made)]
        for request in made:
            if request.status != 200:
                failures += 1
                assert request.output_text is None
                assert request.output_tokens is None
                assert request.error_code
                assert request.messages in good
    assert failures > 0


def test_side_chat_and_own_parameters() -> None:
    """The share of side chat is kept, and given parameters replace the drawn ones."""
    made = compose_account(
        neutral_programs()[0],
        requests=100,
        start_s=START_S,
        seed=5,
        side=SideChat(_chat(), 0.75),
        params={"temperature": 0.9},
    )
    harvest = [request for request in made if request.temperature == 0.9]
    assert len(_answered(harvest)) == 25


def test_resellers_have_many_end_users() -> None:
    """A reseller's requests come from many end users who run many programs."""
    reseller = next(program for program in staple_programs() if program.kind == "reseller")
    made = compose_account(
        reseller, requests=200, start_s=START_S, seed=8, others=[EVALUATION, AGENT, _chat()]
    )
    assert len({request.end_user for request in made}) >= 15
    assert len({request.tools for request in made}) == 2


def test_evolving_prompts_take_the_answer_before() -> None:
    """Some accounts that rewrite prompts send an answer they got as the next text."""
    evolve = Program(
        id="t-evolve",
        label="extraction",
        kind="rewrite",
        purpose="makes prompts harder",
        lang="en",
        user="Make this harder: {text}",
        slots={"text": "instruction"},
        output="short",
    )
    fed_back = 0
    for seed in range(8):
        made = _answered(compose_account(evolve, requests=20, start_s=START_S, seed=seed))
        outputs = {f"Make this harder: {request.output_text}" for request in made}
        fed_back += sum((request.messages or [])[-1].text in outputs for request in made)
    assert fed_back >= 20


def test_incidentals_do_not_tell_the_label() -> None:
    """Tenure, keys, networks, agents, failures, plan and pace do not rank extraction above benign
    accounts or below (area under the curve between .3 and .7)."""
    programs = [program for program in load_bank() if program.label != "depends"][::3]
    rows, labels = [], []
    for number, program in enumerate(programs):
        made = compose_account(program, requests=25, start_s=START_S, seed=[number, 7])
        times = np.array([request.event_time_s or 0.0 for request in made])
        rows.append(
            [
                made[0].account_created_s or 0.0,
                float(len({request.key for request in made})),
                float(len({request.network for request in made})),
                float(len({request.user_agent for request in made})),
                float(sum(request.status != 200 for request in made)),
                made[0].plan_limit or 0.0,
                float(np.median(np.diff(times))),
                float(np.ptp(times)),
            ]
        )
        labels.append(program.label == "extraction")
    table, extraction = np.array(rows), np.array(labels)
    for column in table.T:
        higher = np.greater.outer(column[extraction], column[~extraction]).mean()
        equal = np.equal.outer(column[extraction], column[~extraction]).mean()
        assert 0.3 < higher + equal / 2 < 0.7


def test_no_requests_is_an_error() -> None:
    """An account without requests cannot be composed."""
    with pytest.raises(ValueError, match="at least one"):
        compose_account(AGENT, requests=0, start_s=START_S, seed=1)


def test_identities_are_opaque() -> None:
    """Names of accounts, keys and organisations are hash-like, addresses nobody's (RFC 6598)."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        who = draw_identity(rng, now_s=START_S, wide=True)
        assert len(who.account) == 21
        assert all(
            int(net.split(".")[0]) == 100 and 64 <= int(net.split(".")[1]) < 128
            for net in who.networks
        )
        assert who.created_s < START_S
