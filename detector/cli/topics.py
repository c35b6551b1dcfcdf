"""`stillwatch topics`: makes the topics of a deployment, and tells who must be let in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from detector.cli.acls import acls
from detector.cli.options import KafkaOption
from detector.cli.stop import plain_errors
from detector.settings import load_settings
from streams.kafka_topics import TopicReport, create_topics
from streams.topics import topic_specs

app = typer.Typer(no_args_is_help=True, help="Topics of a deployment.")


@app.callback()
def topics() -> None:
    """Make the topics of a deployment; print what each role must be allowed to do."""


app.command()(acls)


@app.command()
def create(
    ctx: typer.Context,
    kafka: KafkaOption = None,
    partitions: Annotated[
        int,
        typer.Option(
            min=1,
            help="Of the input and of every topic keyed by account: the most workers that can "
            "share the work. It cannot be changed later without moving accounts.",
        ),
    ] = 12,
    replication: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Copies of each partition; 3 or more survive the loss of a broker.",
            show_default="the cluster's default",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Say why each topic is set so.")] = False,
) -> None:
    """Makes the topics that are missing, with the settings each needs. Changes none that exists.

    A topic that exists with other settings is shown with the command that corrects it.

    Examples:

        stillwatch topics create --dry-run --why
        stillwatch topics create --kafka kafka-1:9092 --partitions 24 --replication 3
    """
    with plain_errors():
        settings = load_settings(ctx.obj, kafka=kafka)
        reports = create_topics(
            settings.kafka,
            topic_specs(settings.input_topic, settings.rekey_from),
            partitions=partitions,
            replication=replication,
            dry_run=dry_run,
        )
    render(reports, Console(), bootstrap=settings.kafka.bootstrap, why=why)


def render(
    reports: Sequence[TopicReport], console: Console, *, bootstrap: str, why: bool = False
) -> None:
    """Prints what became of each topic, then what differs."""
    table = Table(box=SIMPLE)
    table.add_column("topic", no_wrap=True)
    table.add_column("partitions", justify="right")
    table.add_column("", no_wrap=True)
    if why:
        table.add_column("why")
    for report in reports:
        cells = [report.spec.name, str(report.partitions), report.state]
        table.add_row(*cells, *([report.spec.reason] if why else []))
    console.print(table)
    for report in reports:
        for difference in report.differences:
            console.print(
                f"{report.spec.name}: {difference.setting} is {difference.found}, should be "
                f"{difference.advised}",
                highlight=False,
                soft_wrap=True,
            )
        correct = ",".join(
            f"{difference.setting}={difference.advised}"
            for difference in report.differences
            if difference.setting != "partitions"
        )
        if correct:
            console.print(
                f"  kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics "
                f"--entity-name {report.spec.name} --add-config '{correct}'",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
