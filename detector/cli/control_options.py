"""Options of the commands that switch something, and how they write it."""

from __future__ import annotations

import datetime as dt
import getpass
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from detector.assessment import Scope
from detector.cli.stop import plain_errors
from detector.control import SwitchRecord, switch_record
from detector.errors import DetectorError
from detector.settings import Settings, load_settings
from streams.kafka_log import log_from

_SECONDS: Final = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
_DURATION = re.compile(r"(\d{1,6})([mhdw])")

ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why; kept for the audit.", show_default=False)
]
TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", help="Whose account it is.", show_default="the tenant of settings"),
]
ScopeOption = Annotated[
    Scope,
    typer.Option("--scope", help="What the id names; an account covers its keys and users."),
]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who says so.", show_default="your login name")
]


class SwitchError(DetectorError):
    """An option that says nothing usable. Attribute `option`."""

    def __init__(self, option: str, problem: str) -> None:
        self.option = option
        super().__init__(f"{option}: {problem}")


def moment(text: str, now_s: float) -> float:
    """UTC epoch seconds of "12h", "30d", "2w", a date or an RFC 3339 time. Raises SwitchError."""
    duration = _DURATION.fullmatch(text.strip())
    if duration is not None:
        return now_s + float(duration[1]) * _SECONDS[duration[2]]
    try:
        found = dt.datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise SwitchError(
            "--until", f"{text!r} is no time; write 12h, 30d, 2026-12-31 or 2026-12-31T18:00:00Z"
        ) from error
    until_s = (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()
    if until_s <= now_s:
        raise SwitchError("--until", f"{text!r} is past")
    return until_s


def who(by: str | None) -> str:
    """Who says so: the option, else the login name. Raises SwitchError when there is neither."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise SwitchError("--by", "this system has no login name; say who you are") from error


def send_switch(
    settings_file: Path | None,
    make: Callable[[Settings, float], SwitchRecord],
    kafka: str | None = None,
) -> None:
    """Makes a switch from the settings and the time, and writes it to the control topic.

    `kafka` as the option of that name. Any of our errors ends the command with one sentence.
    """
    now_s = time.time()
    with plain_errors():
        settings = load_settings(settings_file, kafka=kafka)
        record = switch_record(make(settings, now_s), now_s)
        log = log_from(settings.kafka)
        producer = log.producer()
        producer.send([record])
        producer.close()
        log.close()
    print("written to stillwatch.control: each worker applies it before its next batch")
