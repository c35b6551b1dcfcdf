"""`stillwatch model`: switches the models of running workers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detector.cli.control_options import ByOption, send_switch, who
from detector.cli.options import CalibrationOption, KafkaOption
from detector.cli.stop import plain_errors
from detector.control import ModelSwitch, SwitchRecord
from detector.pipeline import load_models
from detector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Switch the models of running workers.")


@app.callback()
def model() -> None:
    """Switch the models of running workers."""


@app.command()
def apply(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="Folder of models, at the same path on every worker.")
    ],
    reason: Annotated[str, typer.Option(help="Why; kept for the audit.")] = "",
    by: ByOption = None,
    kafka: KafkaOption = None,
    calibration: CalibrationOption = None,
) -> None:
    """Checks a folder of models and switches every worker to it.

    A worker that cannot load it, or finds another version there, refuses and goes on as before: see
    its log and the metric stillwatch_control_records_total.

    With --calibration, at the same path on every worker, p-values come from your own accounts;
    without it from the model card's, whatever calibration the worker started with.

    Example: `stillwatch model apply /models/2026-10`
    """

    def make(settings: Settings, _: float) -> SwitchRecord:
        found = load_models(folder, calibration=calibration, encoder=settings.encoder)
        return ModelSwitch(
            by=who(by),
            reason=reason,
            folder=str(folder.resolve()),
            version=found.version,
            calibration="" if calibration is None else str(calibration.resolve()),
        )

    with plain_errors():
        send_switch(ctx.obj, make, kafka)
