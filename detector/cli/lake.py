"""`stillwatch lake`: copies requests, scores and alerts from their topics into the lake."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections import Counter
from functools import partial
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry, start_http_server

from detector.cli.options import KafkaOption
from detector.cli.starting import started
from detector.cli.stop import plain_errors
from detector.cli.stopping import stopping
from detector.lake_files import LakeFiles
from detector.lake_role import LakeRole, LakeRoleSettings
from detector.lake_run import write_on
from detector.metrics import LakeMetrics
from detector.settings import Settings, SettingsError, load_settings
from streams.kafka_log import log_from

_DEFAULTS = LakeRoleSettings()
GIVE_UP_S = 60.0
"""So long it tries on after an error that may be for good, as the worker does."""


def lake(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            "--lake", metavar="URL", help="Folder or URL.", show_default="the setting lake"
        ),
    ] = None,
    kafka: KafkaOption = None,
    flush_rows: Annotated[
        int, typer.Option(min=1, help="Rows held at which files are written.")
    ] = _DEFAULTS.flush_rows,
    flush_s: Annotated[
        float, typer.Option(min=0.1, help="Age of the oldest row held at which they are.")
    ] = _DEFAULTS.flush_s,
    member: Annotated[
        str | None,
        typer.Option(
            help="Name of this process, unique in the group.", show_default="host and process id"
        ),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Serve /metrics there.")
    ] = None,
) -> None:
    """Writes Parquet for analysts: facts, scores and alerts by tenant and UTC day.

    Every record up to the committed offset is in a file once, whatever is killed. Several
    processes share the partitions. A folder, or a URL that fsspec knows: s3:// needs the package
    s3fs, gs:// gcsfs, az:// adlfs. Request records that cannot be read are counted; their dead
    letters come from the worker. Ctrl-C or SIGTERM writes what is held and ends.

    Examples:

        stillwatch lake --lake build/lake --kafka 127.0.0.1:9092
        stillwatch lake --lake s3://analytics/stillwatch --flush-s 300
        stillwatch query "SELECT day, count(*) FROM facts GROUP BY 1" --lake build/lake
    """
    with plain_errors():
        settings = load_settings(ctx.obj, kafka=kafka)
        files = LakeFiles(lake_url(url, settings))
        registry = CollectorRegistry()
        metrics = LakeMetrics(registry)
        counts: Counter[str] = Counter()
        with stopping() as stop:
            log = log_from(settings.kafka, stop)
            if metrics_port is not None:
                start_http_server(metrics_port, registry=registry)
            make = partial(
                LakeRole,
                log,
                files,
                LakeRoleSettings(
                    group=settings.group,
                    input_topic=settings.input_topic,
                    intake=settings.intake,
                    flush_rows=flush_rows,
                    flush_s=flush_s,
                ),
                metrics,
                member_id=member or f"{socket.gethostname()}-{os.getpid()}",
                monotonic_s=time.monotonic,
            )
            role = started(make, settings.kafka.start_limit_s, stop)
            if role is not None:
                print(f"stillwatch: writing to {files.url}", file=sys.stderr)
                counts = write_on(
                    role, make, metrics, stop, give_up_s=GIVE_UP_S, monotonic_s=time.monotonic
                )
            log.close()
    print(
        f"stillwatch: took {counts['facts']:,} facts, {counts['scores']:,} scores and "
        f"{counts['alerts']:,} revisions of alerts into {counts['files']:,} files; "
        f"{counts['bad_requests']:,} request records could not be read",
        file=sys.stderr,
    )


def lake_url(given: str | None, settings: Settings) -> str:
    """The store of the command line, else of the settings. Raises SettingsError."""
    if given is not None:
        return given
    if settings.lake is None:
        raise SettingsError("lake", "is not set; name a folder or URL with --lake")
    return str(settings.lake)
