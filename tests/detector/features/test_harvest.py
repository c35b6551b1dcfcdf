"""Output harvesting: features equal plain weighted means over answered requests."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings

from detector.intents import GRADE
from streams.record import ApiRequest
from tests.detector.builders import (
    TEXTS,
    Fact,
    agree,
    ask,
    features_after,
    feed,
    histories,
    mean,
    prefixes,
    readings,
    row_of,
    seeded_cues,
    share,
    talk,
    told,
    word_cues,
)

CUES = seeded_cues()
READ = readings(TEXTS, CUES)


def total_in(r: ApiRequest) -> int | None:
    """Input tokens with cached ones counted once."""
    if r.input_tokens is not None and r.cached_in_input is False:
        return r.input_tokens + (r.cached_tokens or 0)
    return r.input_tokens


def out_of(r: ApiRequest) -> float | None:
    """Output tokens, or a quarter of the characters where only those are known."""
    if r.output_tokens is not None:
        return float(r.output_tokens)
    return None if r.output_chars is None else r.output_chars / 4.0


def grades(f: Fact) -> bool:
    """Some new piece asks for a grade with better than even odds."""
    return any(READ[t][0][GRADE] > 0.0 for t in f.fresh)


def expected(facts: list[Fact]) -> dict[str, float]:
    """Each feature from its definition."""
    done = [f for f in facts if f.answered]
    sized = [(f, out) for f in done if (out := out_of(f.request)) is not None]
    both = [(f, out, size) for f, out in sized if (size := total_in(f.request)) is not None]
    ended = [f for f in done if f.request.finish_reason is not None]
    fanned = [f for f in done if f.request.n is not None]
    warm = [f for f in done if f.request.temperature is not None]
    return {
        "output_input_ratio": mean((f.weight, math.log((1 + o) / (1 + i))) for f, o, i in both),
        "output_tokens": mean((f.weight, math.log(1 + o)) for f, o in sized),
        "saturated_share": share(ended, (f.request.finish_reason == "length" for f in ended)),
        "refused_share": share(ended, (f.request.finish_reason == "refusal" for f in ended)),
        "fan_out": mean((f.weight, math.log(max(f.request.n or 1, 1))) for f in fanned),
        "zero_temperature_share": share(warm, (f.request.temperature == 0.0 for f in warm)),
    }


@settings(max_examples=30, deadline=None)
@given(histories())
def test_equals_the_batch_computation(history: tuple[list[ApiRequest], list[float]]) -> None:
    """After every request, each feature is its plain mean over the answered ones so far."""
    facts = told(*history)
    for i, got in enumerate(prefixes(*history, CUES)):
        agree(got, expected(facts[: i + 1]))


@settings(max_examples=30, deadline=None)
@given(histories())
def test_shares_of_texted_requests(history: tuple[list[ApiRequest], list[float]]) -> None:
    """One-shot and resampled requests are shares of those answered whose messages are known."""
    facts = told(*history)
    for i, got in enumerate(prefixes(*history, CUES)):
        done = [f for f in facts[: i + 1] if f.answered and (f.user_turns > 0 or f.history)]
        agree(
            got,
            {
                "one_shot_share": share(done, (not f.history and f.user_turns <= 1 for f in done)),
                "resample_share": share(done, (f.resample for f in done)),
            },
        )


@settings(max_examples=30, deadline=None)
@given(histories())
def test_probes(history: tuple[list[ApiRequest], list[float]]) -> None:
    """A probe asks for logprobs or sets a logit bias with at most two tokens of answer."""
    facts = [f for f in told(*history) if f.answered]
    rs = [f.request for f in facts]
    known = [
        f
        for f, r in zip(facts, rs, strict=True)
        if r.logprobs is not None or r.logit_bias_size or r.max_tokens is not None
    ]
    hits = [
        bool(f.request.logprobs or f.request.logit_bias_size)
        and f.request.max_tokens is not None
        and f.request.max_tokens <= 2
        for f in known
    ]
    got = features_after(*history, CUES)
    agree(got, {"logprob_probe_share": share(known, hits)})


def test_retry_and_resample() -> None:
    """A repeat after a 429 is a retry, a repeat after a 200 is a resample."""
    retried = features_after([ask("what is it?", status=429), ask("what is it?")])
    resampled = features_after([ask("what is it?"), ask("what is it?")])
    assert retried["resample_share"] == 0.0
    assert resampled["resample_share"] == pytest.approx(0.5, abs=1e-3)


def test_failed_attempts_count_for_nothing() -> None:
    """A day of refused attempts leaves every harvest feature and count unknown."""
    tries = [ask(f"q {w}", status=429, output_tokens=3, n=4, max_tokens=1) for w in "abcdef"]
    got, row = features_after(tries), row_of(feed(tries)[0])
    for name in ("one_shot_share", "resample_share", "output_tokens", "fan_out"):
        assert math.isnan(got[name])
    assert (row["pairs"], row["new_pieces"], row["taken_tokens"]) == (0, 0, 0.0)


def test_a_conversation_is_not_one_shot() -> None:
    """Requests that hold an earlier answer are not one-shot, and their repeats no resamples."""
    turns = [("user", "hello"), ("assistant", "hi"), ("user", "and now?")]
    got = features_after([talk(*turns), talk(*turns)])
    assert got["one_shot_share"] == 0.0
    assert got["resample_share"] == 0.0


def test_a_begun_answer_is_no_history() -> None:
    """A prompt that begins the answer itself is still one-shot."""
    got = features_after([talk(("user", f"ask {w}"), ("assistant", "{")) for w in "abc"])
    assert got["one_shot_share"] == 1.0


def test_inline_tags_kept() -> None:
    """Where a tag was mandated, the share counts answers that open with one."""
    ask_tag = "Use <think> tags for task"
    kept = [ask(f"{ask_tag} {w}", output_text="<think>x</think>") for w in ("one", "two")]
    plain = [ask(f"{ask_tag} {w}", output_text="no") for w in ("three", "four")]
    assert features_after(kept)["inline_tag_share"] == pytest.approx(1.0)
    assert features_after(kept + plain)["inline_tag_share"] == pytest.approx(0.5, abs=1e-3)
    assert math.isnan(features_after([ask("hello", output_text="<think>")])["inline_tag_share"])


def test_short_grades() -> None:
    """A piece that asks for a grade and gets a short answer is graded short; a long one is not."""
    cues = word_cues("grade", GRADE)
    times = [0.0, 60.0, 120.0, 180.0]
    short = [ask("grade", output_tokens=3), *(ask(w, output_tokens=3) for w in ("a", "b", "c"))]
    long = [ask("grade", output_tokens=900), *short[1:]]
    assert features_after(short, times, cues)["graded_short_share"] == pytest.approx(0.25, abs=1e-3)
    assert features_after(long, times, cues)["graded_short_share"] == 0.0


@settings(max_examples=25, deadline=None)
@given(histories())
def test_pairs_and_tokens_taken(history: tuple[list[ApiRequest], list[float]]) -> None:
    """The harvest is the number of answered requests with new text, and their output tokens."""
    facts = [f for f in told(*history) if f.answered]
    row = row_of(feed(*history, cues=CUES)[0])
    assert row["pairs"] == sum(bool(f.fresh) for f in facts)
    taken = [out for f in facts if (out := out_of(f.request)) is not None]
    assert row["taken_tokens"] == pytest.approx(sum(taken))
    assert row["taken_known"] == len(taken)


@pytest.mark.parametrize(
    ("field", "features"),
    [
        ("output_tokens", ["output_tokens", "output_input_ratio", "graded_short_share"]),
        ("input_tokens", ["output_input_ratio"]),
        ("finish_reason", ["saturated_share", "refused_share"]),
        ("n", ["fan_out"]),
        ("temperature", ["zero_temperature_share"]),
        ("output_text", ["inline_tag_share"]),
        ("messages", ["one_shot_share", "resample_share", "inline_tag_share",
                      "graded_short_share"]),
    ],
)  # fmt: skip
def test_absent_is_unknown(field: str, features: list[str]) -> None:
    """Taking one field from a full log makes what it told unknown, not 0; the rest stays."""
    told_all: dict[str, Any] = {
        "output_tokens": 9, "input_tokens": 9, "finish_reason": "stop", "n": 2,
        "temperature": 0.0, "output_text": "<think>", "response_format": "json",
    }  # fmt: skip
    full = [ask(f"Use <think> for item {w}", **told_all) for w in "abcdef"]
    assert not any(math.isnan(features_after(full)[name]) for name in features)
    for r in full:
        setattr(r, field, None)
    got = features_after(full)
    assert [name for name in features if not math.isnan(got[name])] == []


def test_structured() -> None:
    """Without any parameter the output format is unknown; with others, none was asked."""
    asked = [ask(f"q {w}", response_format="json", temperature=1.0) for w in "ab"]
    plain = [ask(f"q {w}", temperature=1.0) for w in "cd"]
    bare = [ask(f"q {w}") for w in "ef"]
    got = features_after(asked + plain + bare)["structured_share"]
    assert got == pytest.approx(0.5, abs=1e-3)
    assert features_after(plain)["structured_share"] == 0.0
    assert math.isnan(features_after(bare)["structured_share"])
