"""What a processed batch gives: verdict changes, alerts, scores, facts, dead letters, counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.alerts import Alert
from detector.links.sighting import Sighting
from detector.score_row import ScoreRow
from detector.verdict_change import VerdictChange
from streams.deadletters import DeadLetter
from streams.record import ApiRequest


@dataclass(frozen=True, slots=True)
class FactBatch:
    """Requests of a batch with the event times in force; text is never written from it.

    Attributes:
        times_s: float64, shape (n,).
        new_pieces: int64, shape (n,): new pieces of each request.
    """

    requests: list[ApiRequest]
    times_s: NDArray[np.float64]
    new_pieces: NDArray[np.int64]


@dataclass(slots=True)
class Outputs:
    """Everything one call of the pipeline produced, in log order within a partition.

    `alerts` come with the event time of their revision. `counts` are added to the metrics, and so
    are `encoder_s`, the seconds that each run of the prompt encoder took.
    """

    verdicts: list[VerdictChange] = field(default_factory=list)
    alerts: list[tuple[Alert, float]] = field(default_factory=list)
    scores: list[ScoreRow] = field(default_factory=list)
    facts: list[FactBatch] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    encoder_s: list[float] = field(default_factory=list)

    def add(self, other: Outputs) -> None:
        """Appends another batch's outputs."""
        self.verdicts += other.verdicts
        self.alerts += other.alerts
        self.scores += other.scores
        self.facts += other.facts
        self.dead_letters += other.dead_letters
        self.sightings += other.sightings
        self.counts += other.counts
        self.encoder_s += other.encoder_s
