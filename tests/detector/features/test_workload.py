"""Workload: features equal plain weighted means, and absent fields are unknown."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from streams.record import ApiRequest
from tests.detector.builders import (
    DAY_S,
    T0_S,
    Fact,
    agree,
    ask,
    features_after,
    feed,
    histories,
    kind_of,
    mean,
    prefixes,
    row_of,
    share,
    told,
)


def last_turn(r: ApiRequest) -> list[tuple[str, int]]:
    """(kind, bytes) of each message after the last answer."""
    messages = r.messages or []
    kinds = [kind_of(m.role) for m in messages]
    answers = [i for i, k in enumerate(kinds[:-1]) if k == "assistant"]
    start = answers[-1] + 1 if answers else 0
    sizes = [len(m.text.encode()) for m in messages]
    return list(zip(kinds, sizes, strict=True))[start:]


def bytes_of(f: Fact, *kinds: str) -> int:
    """Bytes of some kinds of message in this turn."""
    return sum(size for kind, size in last_turn(f.request) if kind in kinds)


def has_system(r: ApiRequest) -> bool:
    """A system prompt stands apart or in the list."""
    return bool(r.system) or any(kind_of(m.role) == "system" and m.text for m in r.messages or [])


def expected(facts: list[Fact]) -> dict[str, float]:
    """Each feature from its definition."""
    texted = [f for f in facts if f.texted]
    tooled = [f for f in facts if f.request.tool_count is not None]
    streamed = [f for f in facts if f.request.stream is not None]
    known = [f for f in facts if f.request.status is not None or f.request.error_code]
    material = []
    for f in texted:
        own, results = bytes_of(f, "user"), bytes_of(f, "tool")
        material.append((f.weight, results / (own + results) if own + results else 0.0))
    weights = [f.weight for f in facts]
    return {
        "effective_requests": math.log1p(sum(weights) ** 2 / sum(w * w for w in weights)),
        "tools_share": share(tooled, ((f.request.tool_count or 0) > 0 for f in tooled)),
        "tool_result_share": share(texted, (bytes_of(f, "tool") > 0 for f in texted)),
        "system_share": share(texted, (has_system(f.request) for f in texted)),
        "history_share": share(texted, (f.history for f in texted)),
        "turns": mean((f.weight, math.log(max(f.user_turns, 1))) for f in texted),
        "user_bytes": mean((f.weight, math.log1p(bytes_of(f, "user"))) for f in texted),
        "own_material_share": mean(material),
        "streamed_share": share(streamed, (bool(f.request.stream) for f in streamed)),
        "failure_share": sum(not f.answered for f in known) / len(known) if known else math.nan,
    }


@settings(max_examples=40, deadline=None)
@given(histories())
def test_equals_the_batch_computation(history: tuple[list[ApiRequest], list[float]]) -> None:
    """After every request, each feature is its plain mean over the requests so far."""
    facts = told(*history)
    for i, got in enumerate(prefixes(*history)):
        agree(got, expected(facts[: i + 1]))


@pytest.mark.parametrize("n", [0, 1, 3, 12])
def test_distinct_models_and_system_prompts(n: int) -> None:
    """The sketches of models and system prompts are within their error of the exact counts."""
    requests = [ask(f"q{i}") for i in range(30)]
    for i, r in enumerate(requests):
        if n:
            r.model, r.system = f"model {i % n}", f"You are helper {'abcdefghijkl'[i % n]}."
    got = features_after(requests)
    assert got["system_prompts"] == pytest.approx(math.log1p(n), abs=0.35)
    if n:
        assert got["models"] == pytest.approx(math.log1p(n), abs=0.35)
    else:
        assert math.isnan(got["models"])


def test_many_months_apart() -> None:
    """Requests years apart leave the effective sample size near the latest burst's size."""
    times = [T0_S, *(T0_S + 3000 * DAY_S + i for i in range(20))]
    got = features_after([ask(f"q{i}") for i in range(21)], times)
    assert got["effective_requests"] == pytest.approx(math.log1p(20), abs=0.01)


@pytest.mark.parametrize(
    ("field", "features"),
    [
        ("tool_count", ["tools_share"]),
        ("stream", ["streamed_share"]),
        ("model", ["models"]),
        ("status", ["failure_share"]),
        ("messages", ["tool_result_share", "system_share", "history_share", "turns", "user_bytes",
                      "own_material_share", "system_prompts"]),
    ],
)  # fmt: skip
def test_absent_is_unknown(field: str, features: list[str]) -> None:
    """Taking one field from a full log makes what it told unknown, not 0."""
    full = [ask(f"q{i}", tool_count=1, stream=True, model="m") for i in range(8)]
    assert not any(math.isnan(features_after(full)[name]) for name in features)
    for r in full:
        setattr(r, field, None)
    got = features_after(full)
    assert [name for name in features if not math.isnan(got[name])] == []


@settings(max_examples=25, deadline=None)
@given(histories())
def test_counts(history: tuple[list[ApiRequest], list[float]]) -> None:
    """Requests and failures are plain counts; a failed attempt is no new piece."""
    row, facts = row_of(feed(*history)[0]), told(*history)
    assert row["requests"] == len(facts)
    assert row["failures"] == sum(not f.answered for f in facts)
