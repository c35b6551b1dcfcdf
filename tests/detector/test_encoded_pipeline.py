"""The pipeline with the prompt encoder: what changes, and what must not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from detector.calibration import Calibration, models_digest
from detector.encoder import DIMENSIONS
from detector.encoder_head import EncoderHead, headed_version
from detector.errors import ModelError
from detector.features import FEATURE_NAMES, schema_hash
from detector.metrics import WorkerMetrics
from detector.output_records import output_records
from detector.outputs import Outputs
from detector.pipeline import Models, Pipeline, load_models
from models.export import write_encoder_head
from streams.record import ApiRequest
from tests.detector.builders import T0_S, TEXTS, ask
from tests.detector.runs import NATIVE, packaged_policy, records_of
from tests.detector.tiny_models import write_tiny_models
from tests.services.prompt_encoder import built_encoder, encoder_folder

READS = FEATURE_NAMES.index("encoder_extraction")


def write_models(folder: Path) -> Path:
    """Tiny models with a random head for the built encoder."""
    weights = np.random.default_rng(6).normal(0.0, 1.0, DIMENSIONS).astype(np.float32)
    head = EncoderHead("h1", built_encoder().version, weights, 0.0)
    write_encoder_head(write_tiny_models(folder), head, {})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of models for all tests."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def models(folder: Path) -> Models:
    """Loaded with the encoder."""
    return load_models(folder, encoder=encoder_folder())


def traffic() -> list[ApiRequest]:
    """Three accounts of 40 requests in turn."""
    return [
        ask(f"{TEXTS[1 + i % 10]} {i // 3}", account=f"a{i % 3}", event_id=f"e{i}",
            event_time_s=T0_S + 60.0 * i, system="Be brief.")
        for i in range(120)
    ]  # fmt: skip


def run(models: Models, size: int = 120) -> tuple[Pipeline, Outputs]:
    """The traffic in batches of a size."""
    pipeline = Pipeline(models, packaged_policy(), NATIVE)
    records, out = records_of(traffic()), Outputs()
    for first in range(0, len(records), size):
        out.add(pipeline.process(records[first : first + size]))
    return pipeline, out


def test_batches_of_any_size_give_the_same(models: Models) -> None:
    """State and every output byte; and it differs from a run without the encoder."""
    found = []
    for size in (120, 7, 1):
        pipeline, out = run(models, size)
        written = b"".join(record.value or b"" for record in output_records(out))
        found.append((pipeline.partition(0).state.digest(), written, out.counts["encoded"]))
    assert found[0] == found[1] == found[2]
    assert found[0][2] == 3 * 6  # 1st, 2nd, 4th … 32nd piece


def test_scores_tell_what_was_read(models: Models, folder: Path) -> None:
    """The feature is known with the encoder and unknown without; versions and tables differ."""
    bare = load_models(folder)
    with_it, without = run(models)[1].scores, run(bare)[1].scores
    assert len(with_it) == len(without) > 0
    assert all(np.isnan(s.vector[READS]) for s in without)
    assert not any(np.isnan(s.vector[READS]) for s in with_it)
    assert models.version == f"{bare.version}/{headed_version(encoder_folder(), folder)}"
    assert models.scorer.card.calibration[-1] == pytest.approx(0.7)
    assert bare.scorer.card.calibration[-1] == pytest.approx(0.6)


def test_metrics_of_the_encoder(models: Models, folder: Path) -> None:
    """Whether it runs, how many pieces it read and how long that took."""
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    metrics.models(load_models(folder))
    assert registry.get_sample_value("stillwatch_encoder_in_use") == 0.0
    metrics.models(models)
    out = run(models, 60)[1]
    metrics.committed(out)
    value = registry.get_sample_value
    assert value("stillwatch_encoder_in_use") == 1.0
    assert value("stillwatch_encoder_gpu_in_use") == float(models.prompts is not None and
        models.prompts.encoder.provider.startswith("CUDA"))  # fmt: skip
    assert value("stillwatch_encoder_pieces_total") == 18.0
    assert value("stillwatch_encoder_seconds_count") == len(out.encoder_s) >= 2
    assert value("stillwatch_encoder_seconds_sum") == pytest.approx(sum(out.encoder_s))


def test_a_calibration_is_for_one_encoder(models: Models, folder: Path, tmp_path: Path) -> None:
    """Made with the encoder it is refused without, and the other way round."""
    path = tmp_path / "calibration.json"
    for encoder in ("", headed_version(encoder_folder(), folder)):
        Calibration(
            classifier="tiny", cues="tiny", encoder=encoder, models=models_digest(folder),
            schema=schema_hash(), accounts=2, too_short=0, excluded=0, made_from=("x",),
            first_event="", last_event="", scores=(0.1, 0.2),
        ).write(path)  # fmt: skip
        fits = models if encoder else load_models(folder)
        other = load_models(folder) if encoder else models
        assert len(fits.calibrated(path, folder).scorer.card.calibration) == 2
        assert fits.calibrated(path, folder).prompts is fits.prompts
        with pytest.raises(ModelError, match="prompt encoder"):
            other.calibrated(path, folder)


def test_models_without_a_head_do_not_start_with_an_encoder(tmp_path: Path) -> None:
    """The error names the file and what to do."""
    with pytest.raises(ModelError, match="encoder_head"):
        load_models(write_tiny_models(tmp_path), encoder=encoder_folder())
