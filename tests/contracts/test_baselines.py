"""What every baseline keeps to, whatever it measures: run over the registry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from models.baselines import BASELINES
from models.baselines.baseline import Baseline
from models.baselines.view import View, view_of
from streams.record import ApiRequest, Message

T0_S = 1_780_000_000.0
WORDS = ("river", "stone", "lamp", "bread", "cloud", "engine", "letter", "garden", "copper")

each_baseline = pytest.mark.parametrize("make", BASELINES, ids=lambda b: b.name)


def account(seed: int, n: int, frame: str = "") -> list[ApiRequest]:
    """n requests about made-up things, a few minutes apart."""
    rng = np.random.default_rng(seed)
    return [
        ApiRequest(
            event_id=f"{seed}-{i}",
            event_time_s=T0_S + 300.0 * i + float(rng.uniform(0, 60)),
            account=f"a{seed}",
            messages=[Message("user", f"{frame}{' '.join(rng.choice(WORDS, 12))}")],
            status=200,
            output_tokens=int(rng.integers(20, 400)),
        )
        for i in range(n)
    ]


def training() -> tuple[Sequence[View], NDArray[np.int8]]:
    """Ten benign accounts and five that extract."""
    frame = "Write ten new training questions with step by step answers about "
    requests = [account(i, 30) for i in range(10)]
    requests += [account(20 + i, 30, frame) for i in range(5)]
    return [view_of(r) for r in requests], np.array([0] * 10 + [1] * 5, np.int8)


ODD = {
    "one request": account(40, 1),
    "two requests": account(41, 2),
    "one text again and again": [account(42, 1)[0]] * 20,
    "no text": [ApiRequest(event_id=str(i), account="x") for i in range(12)],
    "no times": [
        ApiRequest(event_id=str(i), account="x", messages=[Message("user", "hi")])
        for i in range(12)
    ],
    "long": account(43, 300),
}


@each_baseline
@pytest.mark.parametrize("odd", ODD)
def test_any_account_has_a_score(make: type[Baseline], odd: str) -> None:
    """Short, empty, repeated and long accounts get a finite number, never an error."""
    baseline = make()
    baseline.fit(*training())
    assert np.isfinite(baseline.score(view_of(ODD[odd])))


@each_baseline
def test_same_training_same_scores(make: type[Baseline]) -> None:
    """Scores repeat bit for bit, do not depend on what was scored before, and many at once are
    the same as one by one."""
    views = [view_of(account(60 + i, 40)) for i in range(4)]
    one, other = make(), make()
    one.fit(*training())
    other.fit(*training())
    first = [one.score(v) for v in views]
    assert first == [other.score(v) for v in reversed(views)][::-1]
    np.testing.assert_array_equal(one.scores(views), first)


@each_baseline
def test_only_first_requests_count(make: type[Baseline]) -> None:
    """The view of the first n requests scores as an account of just these does."""
    baseline = make()
    baseline.fit(*training())
    requests = account(70, 50)
    whole = view_of(requests)
    assert baseline.score(whole.first(20)) == pytest.approx(
        baseline.score(view_of(requests[:20])), rel=1e-5, abs=1e-7
    )


@each_baseline
def test_says_where_it_is_from(make: type[Baseline]) -> None:
    """Each names itself uniquely and its paper."""
    assert make.name
    assert make.paper
    assert [b.name for b in BASELINES].count(make.name) == 1


def test_a_planted_difference_is_found() -> None:
    """A harvest under one frame outscores benign accounts by the detectors that read text."""
    frame = "Write ten new training questions with step by step answers about "
    harvest, benign = view_of(account(80, 40, frame)), view_of(account(81, 40))
    for make in BASELINES:
        if make.name in ("requests per day", "isolation forest on volume", "CAP, adapted",
                         "PRADA, adapted"):  # fmt: skip
            continue
        baseline = make()
        baseline.fit(*training())
        assert baseline.score(harvest) > baseline.score(benign), make.name
