"""`stillwatch worker`: reads requests from Kafka, writes verdicts, alerts and scores."""

from __future__ import annotations

import os
import socket
import threading
import time
from functools import partial
from typing import Annotated

import structlog
import typer
from prometheus_client import CollectorRegistry, start_http_server

from detector.cli.options import (
    AccountFromOption,
    CalibrationOption,
    FormatOption,
    KafkaOption,
    ModelDirOption,
    PolicyOption,
)
from detector.cli.starting import started
from detector.cli.stop import FENCED, plain_errors
from detector.cli.stopping import stopping
from detector.metrics import WorkerMetrics
from detector.partition import PartitionSettings
from detector.pipeline import Models, Pipeline, load_models
from detector.policy import load_policy, parse_policy
from detector.settings import Settings, load_settings
from detector.snapshot_keeper import SnapshotKeeper
from detector.snapshot_store import SnapshotStore
from detector.switches import ModelShelf
from detector.worker import Worker
from detector.worker_settings import SnapshotSettings, WorkerSettings
from streams.kafka_log import log_from
from streams.log import Fenced, Log

_POLLS = 4.0
"""A batch may take this part of the poll interval: a batch that is suddenly slower has room."""

log = structlog.get_logger()


def worker(
    ctx: typer.Context,
    kafka: KafkaOption = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Serve Prometheus metrics on this port."),
    ] = None,
    member: Annotated[
        str | None,
        typer.Option(
            help="Name of this worker, unique in its group. The same again after a restart frees at"
            " once what the one before left open.",
            show_default="host name and process id",
        ),
    ] = None,
    bad_ratio_cap: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of unreadable records in a partition that stops the worker (exit 3) with"
            " nothing of that batch committed, so that a wrong setting does not drain a topic. With"
            " 1 it never stops: all of them go to the dead letters, on purpose.",
            show_default="0.5",
        ),
    ] = None,
    log_format: FormatOption = None,
    account_from: AccountFromOption = None,
    policy: PolicyOption = None,
    model_dir: ModelDirOption = None,
    calibration: CalibrationOption = None,
) -> None:
    """Consumes the request logs and puts out verdicts, alerts and scores, one transaction a batch.

    Start as many as there are partitions, at most; they share the work and rebuild their state from
    snapshots (setting `snapshots`) and the log. SIGTERM or Ctrl-C finishes the batch and leaves the
    group (exit 0). Exit 2: Kafka, a setting or a file; 3: too many unreadable records; 4: another
    worker took over.

    Examples:

        stillwatch topics create
        stillwatch worker --kafka kafka-1:9092 --metrics-port 9400
        stillwatch worker --bad-ratio-cap 1
    """
    with plain_errors():
        settings = load_settings(
            ctx.obj,
            kafka=kafka,
            format=log_format,
            account_from=account_from or None,
            policy=policy,
            model_dir=model_dir,
            calibration=calibration,
            bad_ratio_cap=bad_ratio_cap,
        )
        load_policy(settings.policy)
        models = load_models(
            settings.model_dir,
            require_gpu=settings.require_gpu,
            calibration=settings.calibration,
            encoder=settings.encoder,
        )
        registry = CollectorRegistry()
        with stopping() as stop:
            link = log_from(settings.kafka, stop)
            name = member or f"{socket.gethostname()}-{os.getpid()}"
            if metrics_port is not None:
                start_http_server(metrics_port, registry=registry)
            metrics = WorkerMetrics(registry)
            made = started(
                partial(make_worker, link, settings, models, metrics, stop, name),
                settings.kafka.start_limit_s,
                stop,
            )
            if made is not None:
                log.info("worker started", member=name, topic=settings.input_topic)
                try:
                    made.run()
                except Fenced as error:
                    log.error(f"stopped, nothing is lost: {error}")
                    raise typer.Exit(FENCED) from error
            link.close()
        log.info("worker stopped", member=name)


def make_worker(
    kafka: Log,
    settings: Settings,
    models: Models,
    metrics: WorkerMetrics,
    stop: threading.Event,
    member: str,
) -> Worker:
    """A worker as the settings say.

    Raises UnknownTopic, LogError, PolicyError, and SnapshotError for a URL of no use.
    """
    text = settings.policy.read_text("utf-8")
    return Worker(
        kafka,
        Pipeline(
            models,
            parse_policy(text, str(settings.policy)),
            PartitionSettings(intake=settings.intake, lateness_s=settings.lateness_s),
        ),
        ModelShelf(
            models,
            partial(load_models, require_gpu=settings.require_gpu, encoder=settings.encoder),
        ),
        WorkerSettings(
            topic=settings.input_topic,
            group=settings.group,
            member_id=member,
            policy_text=text,
            batch_records=settings.batch_records,
            batch_limit_s=settings.kafka.max_poll_interval_s / _POLLS,
            bad_ratio_cap=settings.bad_ratio_cap,
        ),
        metrics,
        stop,
        now_s=time.time,
        monotonic_s=time.monotonic,
        keeper=make_keeper(kafka, settings, metrics),
    )


def make_keeper(kafka: Log, settings: Settings, metrics: WorkerMetrics) -> SnapshotKeeper | None:
    """What writes snapshots, if the settings name a place for them. Raises SnapshotError."""
    if settings.snapshots is None:
        return None
    return SnapshotKeeper(
        SnapshotStore(settings.snapshots),
        SnapshotSettings(
            changed_every_s=settings.snapshot_every_s,
            full_every_s=settings.snapshot_full_every_s,
        ),
        metrics.snapshots,
        group=settings.group,
        partitions_of=kafka.partitions_for,
        monotonic_s=time.monotonic,
    )
