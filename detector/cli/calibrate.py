"""`stillwatch calibrate`: own benign traffic in, the table that p-values are read from out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console

from detector.benign_scores import BenignScores
from detector.calibration import Calibration, models_digest, written_scores
from detector.cli.event_time import EventTime
from detector.cli.file_run import batches
from detector.cli.options import AccountFromOption, FormatOption, ModelDirOption
from detector.cli.policy import table_of
from detector.cli.replay import progress_bar
from detector.cli.stop import plain_errors, writing
from detector.errors import DetectorError
from detector.features import schema_hash
from detector.partition import PartitionSettings
from detector.pipeline import Models, Pipeline, load_models
from detector.policy import default_policy_path, load_policy
from detector.record_reader import Record
from detector.settings import Settings, load_settings
from streams.deadletters import RatioCap
from streams.envelope import rfc3339
from streams.files import expand_paths, read_files
from streams.kafka_log import log_from
from streams.log import Log, LogRecord, TopicPartition

FEW_ACCOUNTS: Final = 1000
"""With fewer a step at p ≤ .01 rests on the ten highest accounts or less."""

POLL_RECORDS: Final = 2048
POLL_S: Final = 10.0


class CalibrationImpossible(DetectorError):
    """There is nothing to calibrate on, or it is not said what. Attribute `problem`."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


def calibrate(
    ctx: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders or globs.", metavar="FILE", show_default=False),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(help="Read this Kafka topic, as it is now, instead.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="The calibration is written there.")] = Path(
        "calibration.json"
    ),
    exclude: Annotated[
        Path | None,
        typer.Option(
            help="Accounts to leave out, one a line: those that are known not to be benign.",
            show_default=False,
        ),
    ] = None,
    log_format: FormatOption = None,
    account_from: AccountFromOption = None,
    model_dir: ModelDirOption = None,
) -> None:
    """Calibrates on your own benign traffic: no training; writes one number an account, no names.

    A p-value then says how many of *your* accounts ever looked at least as bad. The traffic need
    not be clean: an attacker in it makes alarms rarer, not more frequent. The more accounts, the
    smaller an alert budget can be. Run worker, replay or demo with --calibration, or set
    `calibration`.

    Examples:

        stillwatch calibrate logs/ --exclude known-harvesters.txt
        stillwatch calibrate --topic llm.requests --out calibration.json
    """
    console = Console(stderr=True)
    with plain_errors(), writing():
        if bool(files) == (topic is not None):
            raise CalibrationImpossible("name either files or a --topic to calibrate on")
        settings = load_settings(
            ctx.obj, format=log_format, account_from=account_from or None, model_dir=model_dir
        )
        rules = load_policy(settings.policy)
        models = load_models(
            settings.model_dir, require_gpu=settings.require_gpu, encoder=settings.encoder
        )
        found = BenignScores(_names(exclude))
        pipeline = new_pipeline(settings, models)
        if topic is not None:
            sources: Sequence[str] = (f"topic {topic}",)
            log = log_from(settings.kafka)
            read_topic(log, topic, pipeline, found)
            log.close()
        else:
            paths = expand_paths(files or [])
            sources = [path.name for path in paths]
            with progress_bar() as on_bytes:
                times = EventTime(settings.intake)
                records = batches(read_files(paths, times, progress=on_bytes))
                read_all(records, pipeline, found)
        found.add(pipeline.finish())
        made = calibration_of(found, pipeline, settings.model_dir, sources)
        made.write(out)
    console.print(
        f"{out}: {made.accounts:,} accounts; left out: {made.too_short:,} that never reached "
        f"10 requests, {made.excluded:,} by name",
        highlight=False,
        soft_wrap=True,
    )
    if made.accounts < FEW_ACCOUNTS:
        console.print(
            f"few accounts: no p-value below {1 / (made.accounts + 1):.2g} can be stated; "
            f"{FEW_ACCOUNTS:,} or more are advised",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
    active = rules.budget.active_accounts_per_day if rules.budget is not None else made.accounts
    console.print(table_of(rules, made.accounts, active))


def new_pipeline(settings: Settings, models: Models) -> Pipeline:
    """A pipeline that puts every scoring out and forgets no account."""
    # Scores do not depend on the policy, and the one in use may have a budget that only the
    # calibration to be made can state.
    return Pipeline(
        models,
        load_policy(default_policy_path()),
        PartitionSettings(
            intake=settings.intake,
            lateness_s=settings.lateness_s,
            idle_s=math.inf,
            keep_quiet_scores=True,
        ),
        RatioCap(settings.bad_ratio_cap),
    )


def read_all(
    records: Iterable[Sequence[Record]], pipeline: Pipeline, found: BenignScores, partition: int = 0
) -> None:
    """Batches of one partition through the pipeline. Raises TooManyBadRecords."""
    for batch in records:
        found.add(pipeline.process(batch, partition))


def read_topic(log: Log, topic: str, pipeline: Pipeline, found: BenignScores) -> None:
    """Every partition from its earliest record to its present end, one after the other.

    Raises UnknownTopic, TooManyBadRecords, and CalibrationImpossible when records stop coming.
    """
    for number in range(log.partitions_for(topic)):
        read_all(_to_the_end(log, TopicPartition(topic, number)), pipeline, found, number)


def _to_the_end(log: Log, at: TopicPartition) -> Iterable[list[LogRecord]]:
    reader = log.reader([at])
    end = reader.end_offsets()[at]
    while reader.positions()[at] < end:
        records = reader.poll(POLL_RECORDS, POLL_S)
        if not records and reader.positions()[at] < end:
            raise CalibrationImpossible(
                f"topic {at.topic}, partition {at.partition}: no record came within {POLL_S:g} s, "
                f"at offset {reader.positions()[at]} of {end}; try again when the log answers"
            )
        yield [record for record in records if record.offset < end]
    reader.close()


def calibration_of(
    found: BenignScores, pipeline: Pipeline, model_dir: Path, sources: Sequence[str]
) -> Calibration:
    """What is written of a run. Raises CalibrationImpossible when no account counts."""
    table = found.table()
    if not len(table):
        raise CalibrationImpossible(
            "no account has 10 requests or more, so there is nothing to calibrate on; "
            "`stillwatch inspect FILE` shows whether accounts are found in the log"
        )
    prompts = pipeline.models.prompts
    states = [part.state.accounts for part in pipeline.partitions.values()]
    rows = np.concatenate([table.rows[: len(table)][["first_s", "last_s"]] for table in states])
    return Calibration(
        classifier=pipeline.models.scorer.card.version,
        cues=pipeline.models.cues.version,
        encoder="" if prompts is None else prompts.version,
        models=models_digest(model_dir),
        schema=schema_hash(),
        accounts=len(table),
        too_short=found.too_short,
        excluded=len(found.left_out),
        made_from=tuple(sources),
        first_event=rfc3339(float(rows["first_s"].min())),
        last_event=rfc3339(float(rows["last_s"].max())),
        scores=written_scores(table),
    )


def _names(path: Path | None) -> frozenset[str]:
    if path is None:
        return frozenset()
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationImpossible(f"--exclude {path} cannot be read ({error})") from error
    return frozenset(line.strip() for line in lines if line.strip())
