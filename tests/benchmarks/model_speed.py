"""Microseconds of the models alone: cues over new pieces, classifier over due accounts."""

from __future__ import annotations

from statistics import median
from time import process_time

import numpy as np

from detector.features import N_FEATURES
from detector.fingerprint import is_user_piece
from streams.batch import BatchBuilder
from tests.benchmarks.recorded_day import RecordedDay, read_requests, released
from tests.benchmarks.report import Row

BATCH = 512
ROUNDS = 40


def measure(day: RecordedDay) -> list[Row]:
    """Two rows, each in batches of 512; no goal."""
    models, _ = released()
    requests = read_requests(day.native)[: BATCH * 8]
    cue_costs, asked = [], 0
    for first in range(0, len(requests), BATCH):
        part = requests[first : first + BATCH]
        batch = BatchBuilder().build(part, np.zeros(len(part)), np.zeros(len(part), np.bool_))
        wanted = is_user_piece(batch.pieces)
        asked += int(wanted.sum())
        models.cues.read(batch.text, batch.pieces, wanted)
        for _ in range(ROUNDS // 8):
            start = process_time()
            models.cues.read(batch.text, batch.pieces, wanted)
            cue_costs.append((process_time() - start) / len(part))
    vectors = np.random.default_rng(1).random((BATCH, N_FEATURES), np.float32)
    account_costs = []
    for _ in range(ROUNDS):
        start = process_time()
        models.scorer.p_values(models.scorer.probabilities(models.scorer.impute(vectors)))
        account_costs.append((process_time() - start) / BATCH)
    return [
        Row(
            name="cue model",
            value=median(cue_costs) * 1e6,
            unit="µs a request",
            note=f"batches of {BATCH}; {asked / len(requests):.2f} pieces a request, all read as "
            "new",
        ),
        Row(
            name="account classifier",
            value=median(account_costs) * 1e6,
            unit="µs a scoring",
            note=f"batches of {BATCH}, with p-values, {models.scorer.provider}",
        ),
    ]
