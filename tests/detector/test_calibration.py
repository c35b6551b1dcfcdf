"""Calibration files: what is written, what is refused, what the scorer makes of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.calibration import Calibration, load_calibration, models_digest, written_scores
from detector.errors import ModelError
from detector.features import schema_hash
from detector.pipeline import load_models
from tests.detector.tiny_models import write_tiny_models


def calibration(models: Path, scores: list[float]) -> Calibration:
    """A calibration for these models."""
    return Calibration(
        classifier="tiny",
        cues="tiny",
        models=models_digest(models),
        schema=schema_hash(),
        accounts=len(scores),
        too_short=1,
        excluded=2,
        made_from=("a.jsonl",),
        first_event="2026-11-01T00:00:00.000Z",
        last_event="2026-11-02T00:00:00.000Z",
        scores=written_scores(np.array(scores)),
    )


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with the tiny model."""
    return write_tiny_models(tmp_path / "models")


def test_scores_come_back_bit_for_bit(models: Path, tmp_path: Path) -> None:
    """A float32 score equals itself after the file, so an account that ties with a benign one has
    the p-value of a tie."""
    drawn = np.random.default_rng(1).random(500).astype(np.float32)
    path = tmp_path / "calibration.json"
    calibration(models, drawn.astype(np.float64).tolist()).write(path)
    loaded = load_models(models, calibration=path).scorer
    assert np.array_equal(loaded.card.calibration, np.sort(drawn).astype(np.float64))
    highest = np.sort(drawn)[-1:]
    assert loaded.p_values(highest)[0] == 2.0 / 501.0


def test_a_calibration_replaces_the_cards_table_and_is_named(models: Path, tmp_path: Path) -> None:
    """p-values change, scores do not, and the version tells which calibration they come from."""
    plain = load_models(models)
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path, scores in zip(paths, ([0.1, 0.2, 0.9], [0.1, 0.2, 0.3]), strict=True):
        calibration(models, scores).write(path)
    one, two = (load_models(models, calibration=path) for path in paths)
    score = np.array([0.85], np.float32)
    assert one.scorer.p_values(score)[0] == 2.0 / 4.0
    assert two.scorer.p_values(score)[0] == 1.0 / 4.0
    assert plain.scorer.p_values(score)[0] == 1.0 / 2001.0
    inputs = plain.scorer.card.median[None]
    assert one.scorer.probabilities(inputs) == plain.scorer.probabilities(inputs)
    assert len({plain.version, one.version, two.version}) == 3
    assert one.version.startswith("tiny+")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "0123456789abcdef"}, "feature schema 0123456789abcdef"),
        ({"models": "0123456789abcdef"}, "was made with models tiny/tiny (0123456789abcdef)"),
        ({"scores": []}, "not ascending"),
        ({"scores": [0.3, 0.2]}, "not ascending"),
        ({"scores": [0.2, 1.5]}, "not ascending"),
        ({"accounts": 7}, "names 7 accounts"),
        ({"encoder": "e+h"}, "with prompt encoder e+h, here it is none"),
        ({"kind": "something.else"}, "is not a calibration"),
        ({"scores": "many"}, "is not a calibration"),
    ],
)
def test_files_that_are_refused(
    models: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    """One sentence that says what is wrong, and to calibrate anew."""
    path = tmp_path / "calibration.json"
    calibration(models, [0.1, 0.2]).write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError) as refused:
        load_calibration(path, models)
    assert words in str(refused.value)
    assert "calibrate anew with `stillwatch calibrate" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_models_trained_anew_under_the_same_version_are_others(
    models: Path, tmp_path: Path
) -> None:
    """The files decide, not the version that they carry; a file that is absent is named too."""
    path = tmp_path / "calibration.json"
    calibration(models, [0.1, 0.2]).write(path)
    assert load_calibration(path, models).accounts == 2
    graph = models / "account.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="was made with models"):
        load_calibration(path, models)
    with pytest.raises(ModelError, match="cannot be read"):
        load_calibration(tmp_path / "absent.json", models)
