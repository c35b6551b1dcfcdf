"""The account classifier is learnt the same way every time, programs weigh alike."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.features import FEATURE_NAMES
from models.train_account import (
    ENCODED,
    INPUTS,
    LEFT_OUT,
    STRENGTH,
    AccountModel,
    fit_account,
    fit_on_top,
    without_encoder,
    worst_scores,
)
from models.vectors import Samples
from tests.models.learning import made_up_accounts, made_up_samples


def same(a: AccountModel, b: AccountModel) -> bool:
    """Bit for bit."""
    return all(
        np.array_equal(np.asarray(getattr(a, f.name)), np.asarray(getattr(b, f.name)))
        for f in fields(AccountModel)
    )


def test_deterministic() -> None:
    """Same samples, same model; other samples, another."""
    model = fit_account(made_up_samples(), made_up_accounts())
    assert same(model, fit_account(made_up_samples(), made_up_accounts()))
    assert not same(model, fit_account(made_up_samples(4), made_up_accounts()))


def test_reads_its_inputs_only() -> None:
    """Features left out exist, and none of them moves the score."""
    assert set(FEATURE_NAMES) >= LEFT_OUT
    assert set(INPUTS) == set(FEATURE_NAMES) - LEFT_OUT
    samples = made_up_samples()
    model = fit_account(samples, made_up_accounts())
    wild = samples.x.copy()
    wild[:, [FEATURE_NAMES.index(name) for name in LEFT_OUT]] = 1e9
    assert np.array_equal(model.probabilities(wild), model.probabilities(samples.x))


def test_unknown_is_the_benign_median() -> None:
    """A vector of which nothing is known scores as the benign medians do."""
    samples = made_up_samples()
    model = fit_account(samples, made_up_accounts())
    nothing = np.full((1, len(FEATURE_NAMES)), np.nan, np.float32)
    middle = nothing.copy()
    middle[0, [FEATURE_NAMES.index(name) for name in model.inputs]] = model.median
    assert np.array_equal(model.probabilities(nothing), model.probabilities(middle))
    label = np.array([a.label for a in made_up_accounts()])[samples.account]
    at = [FEATURE_NAMES.index(name) for name in model.inputs]
    want = np.nanmedian(samples.x[label == 0][:, at], axis=0)
    np.testing.assert_allclose(model.median, want, rtol=1e-6)


def test_without_the_encoder_nothing_is_lost() -> None:
    """The classifier is the one that is trained without an encoder, and the encoder's weight comes
    on top of it; its own is that of a penalised regression with the rest held fixed."""
    samples, accounts = made_up_samples(), made_up_accounts()
    bare = Samples(without_encoder(samples.x), samples.account, samples.requests)
    model, plain = fit_account(samples, accounts), fit_account(bare, accounts)
    at = INPUTS.index(ENCODED)
    rest = np.arange(len(INPUTS)) != at
    np.testing.assert_allclose(model.weights[rest], plain.weights[rest], atol=1e-6)
    assert model.bias == pytest.approx(plain.bias, abs=1e-6)
    assert plain.weights[at] == 0.0
    assert model.weights[at] > 0.1
    np.testing.assert_allclose(model.probabilities(bare.x), plain.probabilities(bare.x), atol=1e-6)


def test_a_weight_on_top_is_the_best_one() -> None:
    """No other weight has a smaller penalised loss; an input that says nothing gets almost none."""
    rng = np.random.default_rng(8)
    y = rng.integers(0, 2, 400)
    offset, w = rng.normal(0.0, 1.0, 400), rng.uniform(0.5, 2.0, 400)

    def loss(z: NDArray[np.float64], weight: float) -> float:
        logit = offset + weight * z
        return float((w * (np.logaddexp(0.0, logit) - y * logit)).sum() + weight**2 / STRENGTH / 2)

    told, noise = y - 0.5 + rng.normal(0.0, 1.0, 400), rng.normal(0.0, 1.0, 400)
    for z in (told, noise):
        best = fit_on_top(z, offset, y, w)
        assert all(loss(z, best) <= loss(z, best + step) for step in (-0.1, -1e-3, 1e-3, 0.1))
    assert fit_on_top(told, offset, y, w) > 0.3
    assert abs(fit_on_top(noise, offset, y, w)) < 0.2


def test_programs_weigh_the_same() -> None:
    """Ten times the rows of one program change the model but little; without the unit's weight
    they would pull it to themselves."""
    samples, accounts = made_up_samples(), made_up_accounts()
    model = fit_account(samples, accounts)
    loud = np.repeat(np.arange(len(samples.x)), np.where(samples.account // 2 == 6, 10, 1))
    again = fit_account(
        Samples(samples.x[loud], samples.account[loud], samples.requests[loud]), accounts
    )
    apart = [replace(a, group=a.name) if a.group == "p6" else a for a in accounts]
    assert np.abs(again.weights - model.weights).max() < 0.1
    assert not same(fit_account(samples, apart), model)


def test_worst_scores_within_the_judged_requests() -> None:
    """The largest score from 10 to 200 requests counts; without such a point there is none."""
    samples = Samples(
        np.zeros((5, 1), np.float32), np.array([0, 0, 0, 1, 2]), np.array([8, 10, 201, 50, 300])
    )
    worst = worst_scores(np.array([0.9, 0.2, 0.8, 0.4, 0.7]), samples, 3)
    assert worst[:2].tolist() == [0.2, 0.4]
    assert np.isnan(worst[2])
