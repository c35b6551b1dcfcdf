"""Format profiles."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from streams.record import ApiRequest, Message
from streams.traffic.masks import (
    CUT_CHARS,
    NO_TEXT_PROFILES,
    PROFILES,
    apply_profile,
    cut_text,
    draw_profile,
    without,
)
from streams.traffic.personas import compose_account
from streams.traffic.staples import staple_programs

IDENTITY = ("account", "event_id", "event_time_s")


@pytest.fixture(scope="module")
def requests() -> list[ApiRequest]:
    """A chat account with history."""
    chat = next(program for program in staple_programs() if program.id == "st-chat-en")
    return compose_account(chat, requests=40, start_s=1e9, seed=1)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_profiles_take_away_and_never_add(name: str, requests: list[ApiRequest]) -> None:
    """Masked fields are absent or shortened, the identity and the originals stay."""
    before = msgspec.json.encode(requests)
    masked = apply_profile(name, requests)
    assert msgspec.json.encode(requests) == before
    for old, new in zip(requests, masked, strict=True):
        for field in ApiRequest.__struct_fields__:
            value = getattr(new, field)
            if field in IDENTITY or value is not None:
                same = value == getattr(old, field)
                assert same or field in ("messages", "truncated", "output_text", "system")
        if name in NO_TEXT_PROFILES:
            assert new.messages is None
            assert new.output_text is None


def test_full_keeps_everything(requests: list[ApiRequest]) -> None:
    """The profile "full" changes nothing."""
    assert apply_profile("full", requests) == requests


def test_cut_text_cuts_and_marks() -> None:
    """Long texts are cut and the record says so; short ones stay unmarked."""
    long = ApiRequest(messages=[Message("user", "x" * (CUT_CHARS + 1))], output_text="y")
    cut = cut_text(CUT_CHARS)(long)
    assert cut.messages == [Message("user", "x" * CUT_CHARS)]
    assert cut.truncated
    assert not cut_text(CUT_CHARS)(ApiRequest(output_text="y")).truncated


def test_unknown_names_raise() -> None:
    """A field or a profile that does not exist is an error."""
    with pytest.raises(KeyError):
        without("colour")
    with pytest.raises(KeyError):
        apply_profile("nonsense", [])


def test_draw_profile_reaches_all_and_can_keep_text() -> None:
    """Profiles are drawn over the whole list; with text, none without prompts is drawn."""
    rng = np.random.default_rng(2)
    drawn = {draw_profile(rng, full_share=0.1, with_text=False) for _ in range(800)}
    assert drawn == set(PROFILES)
    assert NO_TEXT_PROFILES.isdisjoint(draw_profile(rng) for _ in range(300))
