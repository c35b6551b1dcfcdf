"""Trains the account classifier and its calibration from feature vectors.

Logistic regression (scikit-learn) on standardised, clipped features; it won against gradient
boosting on tools that training did not know, and its contributions are easy to read. Every program
and every captured tool has the same weight, whatever its number of accounts and scoring points.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.features import FEATURE_NAMES
from detector.intents import INTENTS
from detector.running_maxima import RunningMaxima
from models.accounts import Account
from models.vectors import Samples

LEFT_OUT = frozenset(
    {
        # absolute rates and tenure: composed and captured traffic says nothing true about them
        "requests_per_day", "ramp_h", "longest_idle_h", "day_flatness", "effective_requests",
        # who is asking and how, not what is taken: composed at random, so only noise to learn
        "key_spread", "models", "failure_share", "network_spread", "address_spread",
        "agent_spread", "streamed_share",
        # parameters that only protect where they are known: a log without them must not accuse
        "zero_temperature_share", "structured_share",
        # the hot frame: a maximum over frames, noisy in benign accounts that run many of them
        "hot_frame_logit", "hot_frame_share", "hot_frame_one_shot",
        # refusals: one in ten requests of a short record is nothing, and says so by itself
        "refused_share",
        # lengths of texts: they tell tools apart, not purposes
        "item_tokens", "piece_tokens", "user_bytes",
        # single intents but elicitation: with a few hundred programs they are learnt by heart; the
        # extraction logit, which is trained on texts, says the same in one number
        *(f"intent_{name}" for name in INTENTS if name != "elicit"),
    }
)  # fmt: skip
"""Features that the classifier does not read yet; they are shown to analysts all the same."""

ONE_SIDED = frozenset(
    {
        "output_input_ratio", "output_tokens", "saturated_share", "fan_out",
        "logprob_probe_share", "inline_tag_share", "graded_short_share",
    }
)  # fmt: skip
"""Features of outputs and parameters: they may speak for extraction, never against it, so that
stripping them from a log can only lower a score."""

ENCODED = "encoder_extraction"
"""What only a deployment with the prompt encoder knows. Its weight is fitted last, on top of all
others, so that without the encoder the classifier is the very one that is trained without."""

INPUTS = tuple(name for name in FEATURE_NAMES if name not in LEFT_OUT)
CLIP = 4.0
STRENGTH = 0.3
CAPTURE_WEIGHT = 2.0
"""A captured tool counts as much as two composed programs: its behaviour is real."""
MIN_REQUESTS = 8
JUDGED_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class AccountModel:
    """p = sigmoid(min(max((x - mean) / scale, floor), CLIP) · weights + bias).

    `mean` is the benign median, so an unknown feature adds nothing; `floor` is 0 for ONE_SIDED
    features, else -CLIP.

    Attributes:
        inputs: feature names, length f.
        median, mean, scale, floor, low, high, weights: float32, shape (f,).
        bias: float.
    """

    inputs: tuple[str, ...]
    median: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    floor: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: float

    def probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities, shape (n,), of raw vectors, shape (n, N_FEATURES)."""
        z = self.standardise(x)
        logit = z @ self.weights + np.float32(self.bias)
        out: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logit.astype(np.float64)))
        return out

    def standardise(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Imputed, standardised and clipped inputs, shape (n, f)."""
        picked = x[:, _columns(self.inputs)]
        filled = np.where(np.isnan(picked), self.median, picked)
        scaled = np.minimum(np.maximum((filled - self.mean) / self.scale, self.floor), CLIP)
        return np.asarray(scaled, np.float32)


def _columns(names: Sequence[str]) -> NDArray[np.int64]:
    return np.array([FEATURE_NAMES.index(name) for name in names], np.int64)


def fit_account(samples: Samples, accounts: Sequence[Account]) -> AccountModel:
    """Fits the classifier; same samples, same model."""
    use = samples.requests >= MIN_REQUESTS
    x = samples.x[use][:, _columns(INPUTS)]
    y = np.array([a.label for a in accounts])[samples.account[use]]
    w = _weights(samples.account[use], accounts)
    benign = x[y == 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a feature that no benign log knows
        median = _known(np.nanmedian(benign, axis=0), 0.0)
        low = _known(np.nanquantile(benign, 0.05, axis=0), 0.0)
        high = _known(np.nanquantile(benign, 0.95, axis=0), 0.0)
        scale = _known(np.nanstd(x, axis=0), 1.0)
    scale[scale < 1e-3] = 1.0
    sided = np.array([name in ONE_SIDED for name in INPUTS])
    floor = np.where(sided, 0.0, -CLIP).astype(np.float32)
    blank = AccountModel(
        INPUTS, median, median, scale, floor, low, high, np.zeros_like(median), 0.0
    )
    z = blank.standardise(without_encoder(samples.x[use]))
    weights = np.zeros(len(INPUTS), np.float32)
    used = np.ones(len(INPUTS), np.bool_)
    while True:  # a one-sided feature that would speak against extraction is left out
        head = LogisticRegression(C=STRENGTH, max_iter=1000, random_state=0)
        head.fit(z[:, used], y, sample_weight=w)
        weights[:] = 0.0
        weights[used] = head.coef_[0]
        wrong = sided & (weights < 0.0)
        if not wrong.any():
            break
        used &= ~wrong
    bias = float(head.intercept_[0])
    at = INPUTS.index(ENCODED)
    weights[at] = fit_on_top(
        blank.standardise(samples.x[use])[:, at].astype(np.float64),
        (z @ weights).astype(np.float64) + bias, y, w,
    )  # fmt: skip
    return replace(blank, weights=weights, bias=bias)


def fit_on_top(
    z: NDArray[np.float64],
    offset: NDArray[np.float64],
    y: NDArray[np.int64],
    w: NDArray[np.float64],
) -> float:
    """Weight of one more input beside fixed log-odds: penalised logistic regression, by Newton.

    Args:
        z: shape (n,), the input, standardised, 0 where unknown.
        offset: shape (n,), log-odds of all other inputs.
        y, w: shape (n,): labels 0 and 1, and weights.
    """
    weight = 0.0
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(offset + weight * z)))
        slope = float((w * (p - y) * z).sum()) + weight / STRENGTH
        weight -= slope / (float((w * p * (1.0 - p) * z * z).sum()) + 1.0 / STRENGTH)
    return weight


def without_encoder(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raw vectors, shape (n, N_FEATURES), as they are where nothing is encoded."""
    bare = x.copy()
    bare[:, FEATURE_NAMES.index(ENCODED)] = np.nan
    return bare


def worst_scores(
    probabilities: NDArray[np.float64], samples: Samples, n_accounts: int
) -> NDArray[np.float64]:
    """Largest score of each account over its scoring points, shape (n_accounts,); NaN if none."""
    maxima = RunningMaxima(JUDGED_REQUESTS)
    maxima.add(samples.account, samples.requests, probabilities)
    return maxima.values(n_accounts)


def _known(values: NDArray[np.floating], default: float) -> NDArray[np.float32]:
    known: NDArray[np.float32] = np.where(np.isfinite(values), values, default).astype(np.float32)
    return known


def _weights(owner: NDArray[np.int64], accounts: Sequence[Account]) -> NDArray[np.float64]:
    """Programs weigh the same, captured tools CAPTURE_WEIGHT as much, both classes the same."""
    unit = np.array([a.batch if a.source == "captures" else a.group for a in accounts])[owner]
    label = np.array([a.label for a in accounts])[owner]
    _, inverse, count = np.unique(
        np.char.add(unit, label.astype(str)), return_inverse=True, return_counts=True
    )
    captured = np.array([a.source == "captures" for a in accounts])[owner]
    w = np.where(captured, CAPTURE_WEIGHT, 1.0) / count[inverse]
    for c in (0, 1):
        w[label == c] /= max(w[label == c].sum(), 1e-9)
    result: NDArray[np.float64] = w / w.mean()
    return result
