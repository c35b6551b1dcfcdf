"""`stillwatch cohorts`: finds campaigns among what the workers saw of all accounts."""

from __future__ import annotations

import os
import socket
import time
from functools import partial
from typing import Annotated

import structlog
import typer
from prometheus_client import CollectorRegistry, start_http_server

from detector.cli.options import KafkaOption, PolicyOption
from detector.cli.starting import started
from detector.cli.stop import FENCED, plain_errors
from detector.cli.stopping import stopping
from detector.cohorts_role import CohortsRole
from detector.links.book import CohortSettings
from detector.member_settings import MemberSettings
from detector.metrics import CohortsMetrics
from detector.policy import load_policy
from detector.settings import load_settings
from streams.kafka_log import log_from
from streams.log import Fenced

log = structlog.get_logger()


def cohorts(
    ctx: typer.Context,
    kafka: KafkaOption = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Serve Prometheus metrics on this port."),
    ] = None,
    member: Annotated[
        str | None,
        typer.Option(
            help="Name of this process, unique in its group. The same again after a restart frees"
            " at once what the one before left open.",
            show_default="host name and process id",
        ),
    ] = None,
    policy: PolicyOption = None,
) -> None:
    """Pools what single accounts show into campaigns: accounts that act together.

    Reads stillwatch.sightings; writes campaigns to stillwatch.cohorts, alerts of kind campaign, and
    a verdict for each member beside the one on the account itself. One process does the work,
    others wait to take over. SIGTERM or Ctrl-C finishes the batch (exit 0); the other exit codes
    are the worker's.

    Examples:

        stillwatch cohorts --kafka kafka-1:9092 --metrics-port 9402
    """
    with plain_errors():
        settings = load_settings(ctx.obj, kafka=kafka, policy=policy)
        rules = load_policy(settings.policy)
        role_settings = MemberSettings(
            group=settings.group,
            member_id=member or f"{socket.gethostname()}-{os.getpid()}",
            batch_records=settings.batch_records,
            bad_ratio_cap=settings.bad_ratio_cap,
        )
        registry = CollectorRegistry()
        with stopping() as stop:
            link = log_from(settings.kafka, stop)
            if metrics_port is not None:
                start_http_server(metrics_port, registry=registry)
            made = started(
                partial(
                    CohortsRole,
                    link,
                    role_settings,
                    CohortSettings(),
                    rules,
                    CohortsMetrics(registry),
                    stop,
                    monotonic_s=time.monotonic,
                ),
                settings.kafka.start_limit_s,
                stop,
            )
            if made is not None:
                log.info("looking for campaigns", member=role_settings.member_id)
                try:
                    made.run()
                except Fenced as error:
                    log.error(f"stopped, nothing is lost: {error}")
                    raise typer.Exit(FENCED) from error
            link.close()
        log.info("cohorts stopped", member=role_settings.member_id)
