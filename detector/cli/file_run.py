"""A run over files: the pipeline fed in batches, its outputs kept as little as possible."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from detector.alert_event import alert_event
from detector.campaign_desk import CampaignDesk, CampaignOutputs
from detector.campaign_ledger import CampaignLedger
from detector.campaign_run import CampaignRun
from detector.cli.event_time import EventTime
from detector.features import schema_hash
from detector.lake import Lake
from detector.ledger import Ledger
from detector.links.book import CohortSettings
from detector.outputs import Outputs
from detector.partition import PartitionSettings
from detector.pipeline import Models, Pipeline
from detector.policy import Policy
from detector.settings import Settings
from streams import envelope
from streams.deadletters import DeadLetter, RatioCap
from streams.files import FileRecord, Progress, read_files

BATCH_RECORDS = 2048
BATCH_BYTES = 32 * 1024 * 1024
SHOWN_DEAD_LETTERS = 10

Sink = Callable[[Outputs], None]


@dataclass(slots=True)
class RunResult:
    """What a run leaves.

    Attributes:
        counts: of `Outputs.counts` over the run.
        reasons: dead letters by kind and field.
        dead_letters: the first few of them.
    """

    ledger: Ledger = field(default_factory=Ledger)
    campaigns: CampaignLedger = field(default_factory=CampaignLedger)
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    def add(self, out: Outputs) -> None:
        """Takes one batch's outputs into account."""
        self.ledger.add(out)
        self.counts += out.counts
        room = SHOWN_DEAD_LETTERS - len(self.dead_letters)
        self.dead_letters += out.dead_letters[: max(room, 0)]

    def pool(self, found: CampaignOutputs, out: Outputs) -> None:
        """Puts what was found of campaigns beside a batch's outputs."""
        self.campaigns.add(found.changes)
        out.verdicts += [change for _, change in found.verdicts]
        out.alerts += found.alerts


def run_files(
    files: Sequence[Path],
    settings: Settings,
    models: Models,
    policy: Policy,
    *,
    lake: Lake | None = None,
    alerts: Path | None = None,
    dead_letters: Path | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Replays files through one partition.

    `lake` gets facts, scores and alerts; the files `alerts` and `dead_letters` one JSON line each.
    Raises TooManyBadRecords, UnreadableInput, MalformedRecord for a format that is not known, and
    OSError where an output cannot be written.
    """
    result = RunResult()
    pipeline = Pipeline(
        models,
        policy,
        PartitionSettings(
            intake=settings.intake,
            lateness_s=settings.lateness_s,
            # A finite log: every account is to be in the result, however long it was idle.
            idle_s=math.inf,
            keep_facts=lake is not None,
            keep_quiet_scores=lake is not None,
        ),
        RatioCap(settings.bad_ratio_cap),
    )
    desk = CampaignDesk(policy, models.version, schema_hash())
    campaigns = CampaignRun(CohortSettings(), desk)
    with ExitStack() as stack:
        sinks: list[Sink] = [result.add]
        if lake is not None:
            sinks.append(stack.enter_context(lake).add)
        if alerts is not None:
            sinks.append(_to_lines(stack, alerts, _alert_lines))
        if dead_letters is not None:
            sinks.append(_to_lines(stack, dead_letters, _dead_letter_lines))
        records = read_files(files, EventTime(settings.intake), progress=progress)
        for batch in batches(records):
            out = pipeline.process(batch)
            result.pool(campaigns.add(out.sightings), out)
            _give(sinks, out)
        out = pipeline.finish()
        result.pool(campaigns.finish(), out)
        _give(sinks, out)
    result.reasons += pipeline.cap.by_reason
    return result


def batches(
    records: Iterable[FileRecord],
    most_records: int = BATCH_RECORDS,
    most_bytes: int = BATCH_BYTES,
) -> Iterator[list[FileRecord]]:
    """Cuts records into batches of bounded count and bytes (one record may be larger)."""
    batch: list[FileRecord] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.value)
        if len(batch) >= most_records or size >= most_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _give(sinks: Iterable[Sink], out: Outputs) -> None:
    for sink in sinks:
        sink(out)


def _to_lines(stack: ExitStack, path: Path, lines: Callable[[Outputs], list[bytes]]) -> Sink:
    file = stack.enter_context(path.open("wb"))

    def sink(out: Outputs) -> None:
        file.writelines(lines(out))

    return sink


def _alert_lines(out: Outputs) -> list[bytes]:
    return [envelope.encode(alert_event(alert, at_s)) + b"\n" for alert, at_s in out.alerts]


def _dead_letter_lines(out: Outputs) -> list[bytes]:
    return [msgspec.json.encode(letter) + b"\n" for letter in out.dead_letters]
