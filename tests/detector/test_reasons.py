"""Reasons in words: complete for the analyst, free of thresholds for the customer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pytest

from detector.assessment import Concentration, GroupEvidence, Scope
from detector.feature_words import component_words, cue_words, feature_words, group_words
from detector.ladder import CUES
from detector.levels import LEVELS, Level
from detector.reasons import CODE_WORDS, case_text, main_reason, reasons
from tests.detector.verdict_cases import DAY_S, T0_S, assessed, book, policy

RICH = assessed(
    p_value=0.003,
    score=0.87,
    cue_pieces=4,
    cue_score=0.97,
    agreeing=("harvest", "diversity", "intent"),
    unknown=("rate",),
    concentration=Concentration("key", "k1", 0.91, 0.12),
)


def test_reasons_name_groups_cues_unknowns_part_and_harvest() -> None:
    """An analyst sees each agreeing group with its numbers, loudest first, and what is unknown."""
    said = reasons(policy(), RICH)
    assert said[0] == (
        "How much is taken out speaks for extraction: share of requests without any follow-up 1 "
        "(ordinary accounts: 0.1 to 0.8)."
    )
    assert said[1].startswith("Variety of the prompts speaks for extraction: new items put into")
    assert said[3] == "4 new pieces in new user turns: ask the model to lay its own reasoning open."
    assert said[4] == "Not known from this log: rhythm of the requests."
    assert said[5] == "91% of the evidence and 12% of the requests belong to key k1."
    assert said[6].startswith("May have been taken so far: 50 pairs of prompt and answer, 6,000 ")
    assert len(said) == 7


def test_main_reason_is_one_line_led_by_what_drives_it() -> None:
    """Reading before code words, so that cut lines differ; the cue rule claims no behaviour."""
    line = main_reason(RICH, "two-groups", "harvest")
    assert line == (
        "share of requests without any follow-up 1 (ordinary accounts: 0.1 to 0.8); "
        + CODE_WORDS["two-groups"]
    )
    no_reading = main_reason(RICH, "two-groups", "elicitation")
    assert no_reading == f"{group_words('elicitation')}; {CODE_WORDS['two-groups']}"
    assert main_reason(RICH, "elicitation-cue", CUES) == CODE_WORDS["elicitation-cue"]


def test_every_reason_code_has_words() -> None:
    """Each code that a verdict can carry is explained."""
    cases = [
        assessed(p_value=0.015),
        assessed(p_value=0.015, agreeing=("intent",)),
        assessed(p_value=0.003),
        assessed(p_value=0.003, agreeing=("intent", "rate")),
        assessed(p_value=0.9, cue_pieces=4, cue_score=0.95),
    ]
    codes = {change.reason_code for case in cases for change in book().judge(case)}
    assert codes | {"campaign"} == set(CODE_WORDS)  # that one comes from the cohort book


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("scope", get_args(Scope))
def test_the_case_text_gives_no_measure_away(level: Level, scope: Scope) -> None:
    """Apart from the dates the customer's sheet holds no digit, so no threshold can be in it."""
    text = case_text(
        policy(),
        RICH,
        scope=scope,
        level=level,
        first_seen_s=T0_S,
        at_s=T0_S + 60,
        expires_at_s=None if level == "allow" else T0_S + 3 * DAY_S,
    )
    bare = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "", text)
    assert not re.search(r"\d|%|score|threshold|probability", bare)
    assert "k1" not in text
    assert "Many different items were put through the same kind of prompt." in text
    assert "a person will look at it" in text
    assert ("It ends by itself" in text) == (level != "allow")


def test_the_case_text_names_cues_of_the_cue_rule_and_never_nothing() -> None:
    """A watch by cues alone says so; evidence without a speaking group gets a general sentence."""
    sheet = {"scope": "account", "level": "watch", "first_seen_s": T0_S, "at_s": T0_S}
    by_cue = assessed(agreeing=(), cue_pieces=3, cue_score=0.95)
    text = case_text(policy(), by_cue, expires_at_s=None, **sheet)  # type: ignore[arg-type]
    assert "lay its own hidden reasoning open" in text
    plain = case_text(policy(), assessed(agreeing=()), expires_at_s=None, **sheet)  # type: ignore[arg-type]
    assert "The use as a whole differed" in plain


def test_unknown_names_are_spelled_out() -> None:
    """A group, feature, cue or component added tomorrow reads as its name without underscores."""
    assert group_words("link_keys") == "link keys"
    assert feature_words("new_thing_share") == "new thing share"
    assert feature_words("intent_role_play") == "how much the pieces read like the intent role play"
    assert cue_words("new_cue") == "carry the cue new cue"
    assert component_words("audio_part") == "audio part"


def test_an_unknown_group_still_reaches_the_customer_in_words() -> None:
    """A new group needs no edit here to be told."""
    extra = GroupEvidence("link_keys", True, 3.0, ())
    text = case_text(
        policy(),
        replace(assessed(), groups=(extra,)),
        scope="account",
        level="watch",
        first_seen_s=T0_S,
        at_s=T0_S,
        expires_at_s=None,
    )
    assert "something unusual about link keys" in text
