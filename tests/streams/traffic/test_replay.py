"""Re-timing, and accounts built from plain cases."""

from __future__ import annotations

import pytest

from streams.record import Message
from streams.traffic.bank import Program
from streams.traffic.replay import Case, case_from, requests_from_messages, stretch
from streams.traffic.staples import staple_programs

START_S = 1_789_948_800.0
CASE = Case((Message("user", "Is the ferry late?"),), "Harbour desk.")


def _chat() -> Program:
    return next(program for program in staple_programs() if program.id == "st-chat-en")


def test_stretch_multiplies_distances_and_leaves_the_original() -> None:
    """Distances from the first time grow by the factor; inputs and absent times stay."""
    made = requests_from_messages([CASE], account="a", start_s=START_S, seed=1)
    made.append(type(made[0])(account="a"))
    before = [request.event_time_s for request in made]
    slow = stretch(made, 10)
    assert [request.event_time_s for request in made] == before
    for old, new in zip(made, slow, strict=True):
        if old.event_time_s is None:
            assert new.event_time_s is None
            continue
        origin = before[0] or 0.0
        assert new.event_time_s == pytest.approx(origin + 10 * (old.event_time_s - origin))
        assert new.messages == old.messages
    with pytest.raises(ValueError, match="positive"):
        stretch(made, 0)


def test_cases_are_repeated_to_twelve() -> None:
    """A case alone is sent twelve times by one account, text and system prompt unchanged."""
    made = requests_from_messages([CASE], account="a", start_s=START_S, seed=1)
    assert len(made) == 12
    assert {request.account for request in made} == {"a"}
    assert all(request.messages == list(CASE.messages) for request in made)
    assert all(request.system == "Harbour desk." for request in made)
    assert len({request.event_id for request in made}) == 12


def test_cases_are_mixed_into_chat() -> None:
    """Mixed into 100 chat requests the case is there once, by the same account, sorted by time."""
    made = requests_from_messages(
        [CASE], account="a", start_s=START_S, seed=2, repeat_to=1, mix_into=100, chat=_chat()
    )
    assert sum(request.status == 200 for request in made) == 101
    assert sum(request.system == "Harbour desk." for request in made) == 1
    assert {request.account for request in made} == {"a"}
    times = [request.event_time_s or 0.0 for request in made]
    assert times == sorted(times)
    with pytest.raises(ValueError, match="needs a chat"):
        requests_from_messages([CASE], account="a", start_s=0, seed=1, mix_into=5)


def test_case_from_reads_plain_rows_and_refuses_others() -> None:
    """Rows with role and content become cases; a row without messages is an error."""
    row = {"system": "", "messages": [{"role": "user", "content": "hi"}]}
    assert case_from(row) == Case((Message("user", "hi"),))
    bad_rows: list[dict[str, object]] = [{}, {"messages": []}, {"messages": ["hi"]}]
    for bad in bad_rows:
        with pytest.raises(ValueError, match="message"):
            case_from(bad)
