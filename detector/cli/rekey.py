"""`stillwatch rekey`: brings records that are not keyed by account to the input topic, keyed."""

from __future__ import annotations

import os
import socket
import time
from functools import partial
from typing import Annotated

import structlog
import typer
from prometheus_client import CollectorRegistry, start_http_server

from detector.cli.options import AccountFromOption, FormatOption, KafkaOption
from detector.cli.starting import started
from detector.cli.stop import FENCED, plain_errors
from detector.cli.stopping import stopping
from detector.metrics import RekeyMetrics
from detector.rekey_role import RekeyRole
from detector.rekey_settings import RekeySettings
from detector.settings import Settings, SettingsError, load_settings
from streams.account_keys import AccountKeys
from streams.kafka_log import log_from
from streams.log import Fenced

log = structlog.get_logger()


def rekey(
    ctx: typer.Context,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TOPIC",
            help="Topic of the records without keys.",
            show_default="the setting rekey_from",
        ),
    ] = None,
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
    bad_ratio_cap: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of records without a readable account in a partition that stops it (exit 3)"
            " with nothing of that batch committed. With 1 it never stops: all of them go to the"
            " dead letters, on purpose.",
            show_default="0.5",
        ),
    ] = None,
    log_format: FormatOption = None,
    account_from: AccountFromOption = None,
) -> None:
    """Writes each record of a topic without keys to the input topic, keyed by its account.

    For writers that cannot key by account, as an OpenTelemetry collector: its Kafka exporter needs
    `encoding: otlp_json`. Bytes, time and headers stay as they are, and each record is written
    exactly once, whatever is killed. An export that holds several accounts is cut, never through a
    trace. What has no readable account goes to stillwatch.deadletters; what tells of no request is
    counted and left. Several processes share the partitions. SIGTERM or Ctrl-C finishes the batch
    (exit 0); the other exit codes are the worker's.

    Examples:

        STILLWATCH_REKEY_FROM=llm.spans stillwatch topics create
        stillwatch rekey --from llm.spans --kafka kafka-1:9092 --metrics-port 9401
    """
    with plain_errors():
        settings = load_settings(
            ctx.obj,
            rekey_from=source,
            kafka=kafka,
            format=log_format,
            account_from=account_from or None,
            bad_ratio_cap=bad_ratio_cap,
        )
        role_settings = rekey_settings(settings, member or f"{socket.gethostname()}-{os.getpid()}")
        registry = CollectorRegistry()
        with stopping() as stop:
            link = log_from(settings.kafka, stop)
            if metrics_port is not None:
                start_http_server(metrics_port, registry=registry)
            made = started(
                partial(
                    RekeyRole,
                    link,
                    AccountKeys(settings.intake),
                    role_settings,
                    RekeyMetrics(registry),
                    stop,
                    monotonic_s=time.monotonic,
                ),
                settings.kafka.start_limit_s,
                stop,
            )
            if made is not None:
                where = f"{role_settings.source} to {role_settings.target}"
                log.info("rekeying", where=where, member=role_settings.member_id)
                try:
                    made.run()
                except Fenced as error:
                    log.error(f"stopped, nothing is lost: {error}")
                    raise typer.Exit(FENCED) from error
            link.close()
        log.info("rekeying stopped", member=role_settings.member_id)


def rekey_settings(settings: Settings, member: str) -> RekeySettings:
    """How the role runs. Raises SettingsError without a topic to read."""
    if settings.rekey_from is None:
        raise SettingsError(
            "rekey_from", "is not set: name the topic of the records without keys with --from"
        )
    return RekeySettings(
        source=settings.rekey_from,
        target=settings.input_topic,
        group=settings.group,
        member_id=member,
        batch_records=settings.batch_records,
        bad_ratio_cap=settings.bad_ratio_cap,
        max_record_bytes=settings.kafka.max_record_bytes,
    )
