"""`stillwatch inspect`: what is read in a log, before anything is decided with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from detector.cli.options import AccountFromOption, FormatOption
from detector.cli.stop import plain_errors
from detector.settings import load_settings
from streams.files import UnreadableInput
from streams.inspection import inspect_file, json_lines, render


def inspect(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Request log.", show_default=False)],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line an input record, prompts included.")
    ] = False,
    log_format: FormatOption = None,
    account_from: AccountFromOption = None,
    records: Annotated[
        int | None, typer.Option(min=1, help="Read so many records only.", show_default="all")
    ] = None,
) -> None:
    """Shows which format was recognised, how each field was read, where an account might be.

    It decides nothing and writes nothing.

    Examples:

        stillwatch inspect requests.jsonl.gz
        stillwatch inspect requests.jsonl --account-from metadata.team_id
        stillwatch inspect requests.jsonl --json | head -1
    """
    with plain_errors():
        settings = load_settings(ctx.obj, format=log_format, account_from=account_from or None)
        try:
            if as_json:
                for line in json_lines(file, settings.intake):
                    print(line)
            else:
                render(inspect_file(file, settings.intake, records), Console())
        except OSError as error:
            raise UnreadableInput(str(file), error.strerror or str(error)) from error
