"""`stillwatch`: the command line. Each command is a module of this package (`lazy_group`)."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from detector.cli.lazy_group import LazyGroup
from detector.settings import SETTINGS_FILE_VARIABLE

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def stillwatch(
    ctx: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of settings.", envvar=SETTINGS_FILE_VARIABLE, show_default=False
        ),
    ] = None,
) -> None:
    """Finds accounts that distil a language model through its API, from the API's request logs.

    Start with `stillwatch demo`. For your own logs: `stillwatch inspect FILE` shows what is read
    in them, `stillwatch replay FILE…` who stands out and why.

    Settings come from the command line, then STILLWATCH_* variables, then the settings file.
    """
    ctx.obj = settings
    structlog.configure(
        processors=[
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Found anew for each event: stdout carries results only, and tests replace stderr.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """An event in one calm line: its words, then its values in brackets."""
    words = event.pop("event")
    values = ", ".join(map(str, event.values()))
    return f"stillwatch: {words} ({values})" if values else f"stillwatch: {words}"
