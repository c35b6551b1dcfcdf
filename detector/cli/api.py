"""`stillwatch api`: serves the alert feed, the gateway hook and the analysts' access."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from detector.api.serving import listen, serve
from detector.api.wiring import build_service
from detector.benign_range import load_benign_range
from detector.cli.options import KafkaOption
from detector.cli.stop import plain_errors
from detector.errors import DetectorError
from detector.key_ring import KeyRing, read_keys
from detector.key_watch import KeyWatch
from detector.settings import Settings, load_settings
from streams.kafka_log import KafkaLog


class NoKeys(DetectorError):
    """The API has no key, so that nobody could use it."""

    def __init__(self) -> None:
        super().__init__(
            "the API needs a keys file with at least one key; make one with "
            "`stillwatch keys new --role admin --keys keys.toml` and start with --keys keys.toml"
        )


def api(
    ctx: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="0: a free one.", show_default="8000")
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="Keys file (TOML).", show_default="the setting keys"),
    ] = None,
    kafka: KafkaOption = None,
    database: Annotated[
        str | None,
        typer.Option(help="SQLAlchemy URL of the alert feed.", show_default="the setting database"),
    ] = None,
    lake: Annotated[
        str | None,
        typer.Option(
            help="Folder or URL of the analysts' store, for score history.",
            show_default="the setting lake",
        ),
    ] = None,
) -> None:
    """Serves alerts, decisions and accounts over HTTP, from the topics that workers write.

    `/docs` shows every call. A changed keys file is taken into use while it runs.

    Examples:

        stillwatch keys new --role admin --keys keys.toml
        stillwatch api --keys keys.toml --kafka 127.0.0.1:9092
    """
    with plain_errors():
        settings = load_settings(
            ctx.obj, host=host, port=port, keys=keys, kafka=kafka, database=database, lake=lake
        )
        file, ring = keys_of(settings)
        sock = listen(settings.host, settings.port)
        log = KafkaLog(settings.kafka)
        service = build_service(
            settings,
            log,
            ring,
            now_s=time.time,
            monotonic_s=time.monotonic,
            benign=load_benign_range(settings.model_dir / "account.json"),
        )
        with (
            contextlib.closing(sock),
            contextlib.closing(log),
            contextlib.closing(service.alerts),
            KeyWatch(file, ring),
        ):
            where = f"http://{settings.host}:{sock.getsockname()[1]}"
            print(f"stillwatch: the API answers at {where}, its calls at {where}/docs")
            sys.stdout.flush()
            serve(service, sock)


def keys_of(settings: Settings) -> tuple[Path, KeyRing]:
    """The keys file and its keys. Raises NoKeys, KeyFileError."""
    if settings.keys is None:
        raise NoKeys
    ring = read_keys(settings.keys)
    if not len(ring):
        raise NoKeys
    return settings.keys, ring
