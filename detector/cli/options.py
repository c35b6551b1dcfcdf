"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

KafkaOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Kafka brokers, separated by commas; the other settings of the link stay.",
        show_default="the setting kafka",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", help="Name of the log format.", show_default="found by its marks"),
]
AccountFromOption = Annotated[
    list[str] | None,
    typer.Option(
        "--account-from",
        metavar="PATH",
        help="Where the account is in a raw record; give it again for a second choice.",
        show_default="the format's own place",
    ),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", help="Policy file (TOML).", show_default="the packaged policy"),
]
CalibrationOption = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        help="File of `stillwatch calibrate`, made with these models.",
        show_default="the model card's accounts",
    ),
]
ModelDirOption = Annotated[
    Path | None,
    typer.Option("--model-dir", help="Folder of models.", show_default="the packaged models"),
]
