"""The story of a record: bytes in, verdicts and alerts out.

    record → intake (streams) → duplicates → clock → columns → fingerprints → new pieces → cues →
    rows and features → scorer → policy → alerts

Partitions are independent of each other; each keeps its own state (`detector.partition`).
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.calibration import load_calibration
from detector.cues import CueModel, load_cues
from detector.encoder import shared_encoder
from detector.encoder_head import HeadedEncoder, load_headed
from detector.outputs import Outputs
from detector.partition import Partition, PartitionSettings, models_version
from detector.policy import Policy
from detector.record_reader import Record
from detector.scorer import Scorer
from streams.deadletters import RatioCap

STRETCH = 512
"""So many records are taken at a time, whatever the size of a batch: they fit the CPU's cache."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models a pipeline runs with; `prompts` is None where nothing is encoded."""

    cues: CueModel
    scorer: Scorer
    prompts: HeadedEncoder | None = None

    @property
    def version(self) -> str:
        """Versions of classifier, cue model and prompt encoder, as verdicts name them."""
        return models_version(self.scorer, self.cues, self.prompts)

    def calibrated(self, calibration: Path, model_dir: Path) -> Models:
        """These models, loaded from `model_dir`, with an operator's calibration.

        Raises ModelError when the calibration cannot be read or was made with other models.
        """
        encoder = "" if self.prompts is None else self.prompts.version
        found = load_calibration(calibration, model_dir, encoder)
        return Models(self.cues, self.scorer.calibrated(found), self.prompts)


def load_models(
    model_dir: Path,
    *,
    require_gpu: bool = False,
    calibration: Path | None = None,
    encoder: Path | None = None,
) -> Models:
    """Loads cue model and classifier, and sets Python's cycle collector to large batches.

    A batch is thousands of objects that all live to its end: looking through them for cycles again
    and again finds nothing. `calibration` takes the place of the model card's table. `encoder`
    is the folder of the built prompt encoder, whose head lies among the models.

    Raises ModelError with what to do.
    """
    prompts = None
    if encoder is not None:
        prompts = load_headed(shared_encoder(encoder, require_gpu), model_dir)
    models = Models(
        load_cues(model_dir / "cues.npz"),
        Scorer(model_dir, require_gpu=require_gpu, encoded=prompts is not None),
        prompts,
    )
    if calibration is not None:
        models = models.calibrated(calibration, model_dir)
    gc.freeze()  # libraries and models stay as long as the process
    gc.set_threshold(100_000, 20, 50)
    return models


class Pipeline:
    """All partitions of one process.

    Attributes:
        models, policy: what a new partition begins with; switches are made partition by partition.
        cap: of all partitions that were not given one of their own.
    """

    def __init__(
        self,
        models: Models,
        policy: Policy,
        settings: PartitionSettings | None = None,
        cap: RatioCap | None = None,
    ) -> None:
        """Raises BudgetError when the models' calibration cannot state the policy's budget."""
        policy.check_budget(len(models.scorer.card.calibration))
        self.models = models
        self.policy = policy
        self._settings = settings or PartitionSettings()
        self.cap = cap or RatioCap()
        self.partitions: dict[int, Partition] = {}

    def process(self, records: Sequence[Record], partition: int = 0) -> Outputs:
        """Applies records of one partition in log order; see `Partition.process`."""
        out = Outputs()
        for start in range(0, len(records), STRETCH):
            out.add(self.partition(partition).process(records[start : start + STRETCH]))
        return out

    def finish(self) -> Outputs:
        """Scores every account once more at the end of a finite log, partition by partition."""
        out = Outputs()
        for number in sorted(self.partitions):
            out.add(self.partitions[number].finish())
        return out

    def renew(self, number: int, cap: RatioCap) -> Partition:
        """An empty partition in place of what was there, with a cap of its own."""
        models = self.models
        made = Partition(
            models.cues, models.scorer, self.policy, self._settings, cap, models.prompts
        )
        self.partitions[number] = made
        return made

    def drop(self, number: int) -> None:
        """Forgets a partition's state."""
        self.partitions.pop(number, None)

    def partition(self, number: int) -> Partition:
        """The partition of that number, made empty if it is new."""
        found = self.partitions.get(number)
        return self.renew(number, self.cap) if found is None else found
