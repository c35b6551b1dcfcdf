"""The head: plain arithmetic, and its own encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.encoder import DIMENSIONS
from detector.encoder_head import (
    BOUND,
    FILE,
    EncoderHead,
    HeadedEncoder,
    headed_version,
    load_head,
    load_headed,
    say,
)
from detector.errors import ModelError
from models.export import write_encoder_head
from tests.detector.builders import TEXTS, pieces_of
from tests.services.prompt_encoder import built_encoder, encoder_folder


def some_head(encoder: str = "e") -> EncoderHead:
    """A random head."""
    weights = np.random.default_rng(3).normal(0.0, 4.0, DIMENSIONS).astype(np.float32)
    return EncoderHead("h", encoder, weights, 0.5)


def test_log_odds_are_vector_times_weights() -> None:
    """Within BOUND; a row's bytes do not depend on the others."""
    head = some_head()
    vectors = np.random.default_rng(4).normal(0.0, 0.1, (40, DIMENSIONS)).astype(np.float32)
    got = say(vectors, head.weights, head.bias)
    for i in range(40):
        want = vectors[i].astype(np.float64) @ head.weights.astype(np.float64) + head.bias
        assert got[i] == pytest.approx(np.clip(want, -BOUND, BOUND), abs=1e-4)
        alone = say(vectors[i : i + 1], head.weights, head.bias)
        assert alone.tobytes() == got[i : i + 1].tobytes()
    assert np.abs(got).max() == BOUND


def test_a_head_survives_writing(tmp_path: Path) -> None:
    """Written and read back it is the same; a damaged or missing one stops the start and says what
    to do."""
    head = some_head()
    write_encoder_head(tmp_path, head, {"seed": 1})
    read = load_head(tmp_path)
    assert (read.version, read.encoder, read.bias) == (head.version, head.encoder, head.bias)
    assert read.weights.tobytes() == head.weights.tobytes()
    np.savez(tmp_path / FILE, weights=head.weights[:9], bias=np.float64(0.0))
    with pytest.raises(ModelError, match="do not fit"):
        load_head(tmp_path)
    (tmp_path / FILE).unlink()
    with pytest.raises(ModelError, match="models train"):
        load_head(tmp_path)


def test_a_head_of_another_encoder_is_refused(tmp_path: Path) -> None:
    """Its weights mean nothing on these vectors."""
    encoder = built_encoder()
    write_encoder_head(tmp_path, some_head("another"), {})
    with pytest.raises(ModelError, match="make encoder"):
        load_headed(encoder, tmp_path)
    write_encoder_head(tmp_path, some_head(encoder.version), {})
    assert load_headed(encoder, tmp_path).version == f"{encoder.version}+h"
    assert headed_version(encoder_folder(), tmp_path) == f"{encoder.version}+h"


def test_the_pieces_picked_are_read() -> None:
    """Each as if alone, in their order; the time is told once."""
    encoder = built_encoder()
    ticks = iter([1.0, 1.5, 7.0, 9.0])
    headed = HeadedEncoder(encoder, some_head(encoder.version), lambda: next(ticks))
    text, pieces = pieces_of(*TEXTS[1:5])
    picked = np.array([0, 1, 3], np.int64)
    got = headed.read(text, pieces, picked)
    vectors = encoder.encode([TEXTS[1], TEXTS[2], TEXTS[4]])
    assert got.tobytes() == say(vectors, headed.head.weights, headed.head.bias).tobytes()
    headed.read(text, pieces, picked[:1])
    assert headed.take_spent() == [0.5, 2.0]
    assert headed.take_spent() == []
