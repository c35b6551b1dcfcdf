"""deploy/OPERATING.md says what the code does: topics, grants, metrics, exit codes, commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detector.acls import grants
from detector.api.api_metrics import ApiMetrics
from detector.api.wiring import build_service
from detector.cli import stop
from detector.cli.lazy_group import COMMANDS
from detector.key_ring import KeyRing
from detector.metrics import CohortsMetrics, LakeMetrics, RekeyMetrics, WorkerMetrics
from detector.settings import load_settings
from streams.kafka_settings import KafkaSettings
from streams.memory_log import MemoryLog
from streams.topics import topic_specs

PAGE = Path(__file__).parents[2] / "deploy" / "OPERATING.md"
TEXT = PAGE.read_text("utf-8")


def section(title: str) -> str:
    """The text of a section, of whatever level, without its subsections' heads."""
    level, rest = re.split(rf"^(#+) {re.escape(title)}$", TEXT, maxsplit=1, flags=re.MULTILINE)[1:]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> list[list[str]]:
    """Cells of the section's tables, without heads and rules."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [
        cells
        for cells, after in zip(found, [*found[1:], [""]], strict=True)
        if not cells[0].startswith("---") and not after[0].startswith("---")
    ]


def scraped(registry: CollectorRegistry) -> set[str]:
    """Names as they are scraped: counters end in _total."""
    families = [f for f in registry.collect() if f.name.startswith("stillwatch_")]
    return {f"{f.name}_total" if f.type == "counter" else f.name for f in families}


@pytest.mark.parametrize(
    ("title", "metrics"),
    [
        ("Worker", WorkerMetrics),
        ("Cohorts", CohortsMetrics),
        ("Rekey", RekeyMetrics),
        ("Lake", LakeMetrics),
    ],
)
def test_every_metric_of_a_role_is_explained(title: str, metrics: type) -> None:
    """The page's table has each metric of the code once, and no other; each says what it means and
    what to do."""
    registry = CollectorRegistry()
    metrics(registry)
    table = rows(title)
    named = [cells[0].strip("`") for cells in table]
    assert sorted(named) == sorted(scraped(registry))
    assert all(len(cells) == 3 and cells[1] for cells in table)


def test_every_metric_of_the_api_is_explained(tmp_path: Path) -> None:
    """The same for the API."""
    registry = CollectorRegistry()
    settings = load_settings(database=f"sqlite:///{tmp_path}/feed.db")
    service = build_service(
        settings, MemoryLog(), KeyRing([]), now_s=float, monotonic_s=float, registry=registry
    )
    ApiMetrics(service)
    assert sorted(cells[0].strip("`") for cells in rows("API")) == sorted(scraped(registry))
    service.alerts.close()


def test_the_topics_are_those_that_are_made() -> None:
    """Names, partitions and settings."""
    told = {
        name.strip("`"): (partitions, dict(re.findall(r"`([a-z.]+)=([^`]+)`", settings)))
        for name, partitions, settings in rows("Topics")
    }
    assert told == {
        spec.name: ("N" if spec.partitions is None else str(spec.partitions), dict(spec.configs))
        for spec in topic_specs()
    }


def test_the_grants_are_the_table_of_the_code() -> None:
    """Line by line; the setup's lines, one a topic, stand as one."""
    settings = load_settings()
    table = grants(settings.input_topic, settings.group, "llm.spans")
    wanted = [
        [
            grant.role,
            grant.resource,
            f"`{grant.name}`{'…' if grant.prefixed else ''}",
            ", ".join(grant.operations),
            grant.why,
        ]
        for grant in table
        if grant.role != "setup"
    ]
    *told, setup = rows("Access")
    assert told == wanted
    of_setup = [grant for grant in table if grant.role == "setup"]
    assert {", ".join(grant.operations) for grant in of_setup} == {setup[3]}


def test_the_exit_codes_are_those_of_the_code() -> None:
    """Each code once, 0 to 4."""
    codes = [int(cells[0]) for cells in rows("Exit codes")]
    assert codes == [0, stop.DATA, stop.USAGE, stop.BAD_TOPIC, stop.FENCED]


def test_commands_and_settings_of_the_link_exist() -> None:
    """Every `stillwatch COMMAND` is one, and the settings named for the link are settings."""
    named = re.findall(
        r"stillwatch ([a-z]+)", " ".join(re.findall(r"`[^`]+`|```.*?```", TEXT, re.S))
    )
    assert set(named) <= set(COMMANDS)
    assert {"topics", "rekey", "worker", "model", "policy", "db", "calibrate"} <= set(named)
    for _, settings in rows("The link"):
        assert set(re.findall(r"`([a-z_]+)`", settings)) <= set(KafkaSettings.model_fields)


def test_links_within_the_page_lead_somewhere() -> None:
    """Each anchor is a heading, each file is there."""
    heads = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        path, _, anchor = link.partition("#")
        if path:
            assert (PAGE.parent / path).exists(), link
        elif anchor:
            assert anchor in heads, link
