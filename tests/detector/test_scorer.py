"""The scorer: plain arithmetic on the card's numbers, and cards that it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.errors import ModelError
from detector.features import FEATURE_NAMES, GROUPS, N_FEATURES
from detector.scorer import Scorer, load_card, log_odds
from tests.detector.runs import released
from tests.detector.tiny_models import BIAS, FEATURES, WEIGHTS, write_tiny_models


def vector(**known: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """One raw vector of which only `known` is known."""
    out = np.full((1, N_FEATURES), np.nan, np.float32)
    for name, value in known.items():
        out[0, FEATURE_NAMES.index(name)] = value
    return out


def test_p_values_equal_a_plain_recount() -> None:
    """(1 + benign scores at or above) / (1 + benign scores), at, between and past the table's."""
    scorer = released().scorer
    table = scorer.card.calibration
    asked = np.concatenate(
        [[0.0, 1.0], table[[0, 1, len(table) // 2, -1]], np.random.default_rng(4).random(200)]
    ).astype(np.float32)
    got = scorer.p_values(asked)
    for score, p in zip(asked.astype(np.float64).tolist(), got.tolist(), strict=True):
        above = sum(benign >= score for benign in table.tolist())
        assert p == (1 + above) / (1 + len(table))
    falls = got[np.argsort(asked, kind="stable")]
    assert (np.diff(falls) <= 0.0).all()
    assert got.min() == 1.0 / (1 + len(table))
    assert got.max() == 1.0


def test_unknown_features_are_at_their_median(tmp_path: Path) -> None:
    """NaN becomes the card's median, a known number stays, features outside the card are passed
    over."""
    scorer = Scorer(write_tiny_models(tmp_path))
    known = vector(one_shot_share=0.7, turns=9.0)
    assert scorer.impute(known)[0].tolist() == pytest.approx([0.0, 0.7, 0.5])
    assert scorer.probabilities(scorer.impute(known)[:0]).shape == (0,)
    want = BIAS + WEIGHTS[1] * 0.7 + WEIGHTS[2] * 0.5
    got = log_odds(scorer.probabilities(scorer.impute(known)))
    assert got[0] == pytest.approx(want, abs=1e-4)
    assert scorer.prior_log_odds == pytest.approx(BIAS + WEIGHTS[2] * 0.5, abs=2e-3)


def test_contributions_are_what_a_group_adds(tmp_path: Path) -> None:
    """A group contributes its part of the log-odds over the median's; one of which nothing is
    known is unknown and contributes nothing; readings name what speaks for extraction."""
    scorer = Scorer(write_tiny_models(tmp_path))
    (groups,) = scorer.explain(vector(intent_elicit=0.5, one_shot_share=0.8))
    assert [g.name for g in groups] == [g.NAME for g in GROUPS]
    by_name = {g.name: g for g in groups}
    assert by_name["intent"].contribution == pytest.approx(0.5 * WEIGHTS[0], abs=1e-3)
    assert by_name["harvest"].contribution == pytest.approx(0.8 * WEIGHTS[1], abs=1e-3)
    assert {g.name for g in groups if g.known} == {"intent", "harvest"}
    assert by_name["diversity"].contribution == 0.0
    (reading,) = by_name["harvest"].readings
    assert reading.name == "one_shot_share"
    assert reading.value == pytest.approx(0.8)
    assert (reading.benign_low, reading.benign_high) == pytest.approx((0.0, 0.3))
    (quiet,) = scorer.explain(vector(intent_elicit=0.0, one_shot_share=0.0))
    assert all(g.readings == () for g in quiet)


def test_an_explanation_does_not_depend_on_its_neighbours() -> None:
    """Rows are explained the same alone and together, by the released model."""
    scorer = released().scorer
    rows = np.random.default_rng(5).normal(0.0, 1.0, (9, N_FEATURES)).astype(np.float32)
    rows[rows > 1.0] = np.nan
    together = scorer.explain(rows)
    alone = [scorer.explain(row[None])[0] for row in rows]
    assert [repr(groups) for groups in together] == [repr(groups) for groups in alone]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": ["moon_phase", *FEATURES[1:]]}, "unknown features"),
        ({"schema": "0123456789abcdef"}, "feature schema 0123456789abcdef"),
        ({"median": [0.0]}, "do not fit"),
        ({"low": [0.0, None, 0.0]}, "do not fit"),
        ({"high": ["much", 0.0, 0.0]}, "cannot be read"),
        ({"calibration": []}, "do not fit"),
        ({"calibration": [float("inf")]}, "do not fit"),
        ({"version": ...}, "cannot be read"),
    ],
)
def test_cards_that_are_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """A card with a fault stops start-up with one sentence that says what is wrong and what to
    do; `...` takes the key away."""
    path = write_tiny_models(tmp_path) / "account.json"
    card = json.loads(path.read_text()) | change
    path.write_text(json.dumps({k: v for k, v in card.items() if v is not ...}))
    with pytest.raises(ModelError) as stopped:
        load_card(path)
    assert words in str(stopped.value)
    assert "train it with" in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_graphs_that_are_refused(tmp_path: Path) -> None:
    """No graph, a damaged one, and one for another number of features are refused."""
    folder = write_tiny_models(tmp_path)
    card = json.loads((folder / "account.json").read_text())
    for name in ("features", "median", "low", "high"):
        card[name] = card[name][:2]
    (folder / "account.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="does not take the card's features"):
        Scorer(folder)
    (folder / "account.onnx").write_bytes(b"\0not a graph")
    with pytest.raises(ModelError, match="cannot be loaded"):
        Scorer(folder)
    (folder / "account.onnx").unlink()
    with pytest.raises(ModelError, match="missing"):
        Scorer(folder)
