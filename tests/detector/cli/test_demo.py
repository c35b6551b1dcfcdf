"""`stillwatch demo` with few benign accounts and the tiny model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from detector.cli.demo_result import result_of
from detector.cli.demo_run import INPUT, PARTITIONS, DemoState, fill, play
from detector.cli.main import app
from detector.ledger import Ledger
from detector.output_records import SCORES, VERDICTS
from detector.outputs import Outputs
from detector.pipeline import load_models
from detector.policy import default_policy_path, load_policy
from detector.settings import load_settings
from streams.log import TopicPartition
from streams.traffic.campaigns import Campaign
from streams.traffic.day import Day
from tests.detector.logs import N_CHAT, N_HARVEST, small_log
from tests.detector.test_ledger import change, score
from tests.detector.tiny_models import write_tiny_models


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    """Output, summary and folder of one demo."""
    root = tmp_path_factory.mktemp("demo")
    models = write_tiny_models(root / "models")
    given = ["demo", "--exit", "--accounts", "12", "--seed", "3", "--model-dir", str(models)]
    given += ["--summary", str(root / "out" / "summary.json"), "--lake", str(root / "lake")]
    result = CliRunner().invoke(app, given, env={"STILLWATCH_DATA": str(root)})
    assert result.exit_code == 0, result.output
    return result.stdout, json.loads((root / "out" / "summary.json").read_text()), root


def test_the_summary_counts_what_was_planted_and_found(
    played: tuple[str, dict[str, Any], Path],
) -> None:
    """The promised keys are there and agree with each other."""
    _, summary, _ = played
    assert summary["campaigns_planted"] == len(summary["campaigns"]) == 3
    assert summary["campaigns_found"] == sum(c["found"] for c in summary["campaigns"])
    assert summary["benign_accounts"] == 12
    assert summary["benign_throttled"] == len(summary["false_alarms"])
    assert summary["seed"] == 3
    assert all(c["requests"] > 0 for c in summary["campaigns"])


def test_plain_lines_where_there_is_no_terminal(played: tuple[str, dict[str, Any], Path]) -> None:
    """Progress, the table and what to try next, without control codes; no word of an API."""
    stdout, summary, root = played
    assert "\x1b" not in stdout
    total = f"{summary['requests']:,}"
    assert f"{total} of {total} requests" in stdout
    assert f"of {summary['campaigns_planted']} campaigns found" in stdout
    assert f"--lake {root / 'lake'}" in stdout
    assert "API" not in stdout


def test_the_lake_holds_the_day(played: tuple[str, dict[str, Any], Path]) -> None:
    """The query that the demo proposes works, and facts hold every request."""
    _, summary, root = played
    given = ["query", "SELECT count(*) AS n FROM facts", "--lake", str(root / "lake")]
    result = CliRunner().invoke(app, [*given, "--format", "json"])
    assert json.loads(result.stdout)["n"] == summary["requests"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, DemoState, list[int]]:
    """The small log played through the embedded log; (log, state, records done at each batch)."""
    models = load_models(write_tiny_models(tmp_path_factory.mktemp("models")))
    requests = small_log()
    log = fill(requests)
    done: list[int] = []
    state = play(
        log,
        len(requests),
        load_settings(),
        models,
        load_policy(default_policy_path()),
        told=lambda state: done.append(state.done),
    )
    return log, state, done


def test_every_record_is_handled_and_its_offset_committed(
    small: tuple[Any, DemoState, list[int]],
) -> None:
    """A second member of the group finds nothing left to read."""
    log, state, done = small
    assert state.done == done[-1] == N_HARVEST + N_CHAT + 1
    consumer = log.consumer("stillwatch", [INPUT], member_id="next")
    assert consumer.poll(10, 0.0) == []
    assert len(consumer.assignment()) == PARTITIONS


def test_outputs_lie_with_their_account(small: tuple[Any, DemoState, list[int]]) -> None:
    """Verdicts and scores of an account are on the partition its requests are on."""
    log, _, _ = small
    places: dict[str, set[int]] = {}
    for topic in (INPUT, VERDICTS, SCORES):
        reader = log.reader([TopicPartition(topic, n) for n in range(PARTITIONS)])
        found = {r.partition for r in reader.poll(10_000, 0.0) if b"harvester" in (r.key or b"")}
        places[topic] = found
    assert len(places[INPUT]) == 1
    assert places[VERDICTS] == places[SCORES] == places[INPUT]


def test_half_of_a_campaigns_accounts_make_it_found() -> None:
    """Throttled at any time counts; watch does not; benign accounts are counted apart."""
    accounts = ("a", "b", "c", "d")
    campaign = Campaign("planted", "trace", accounts, 1.0, "p")
    day = Day([], {**dict.fromkeys(accounts, "planted"), "x": "chat", "y": "agent"}, (campaign,))
    ledger = Ledger()
    ledger.add(Outputs(scores=[score(name, 0.5, 50) for name in (*accounts, "x", "y")]))
    verdicts = [("a", "throttle", 10), ("b", "restrict", 30), ("c", "watch", 5), ("x", "watch", 7)]
    for name, level, at in verdicts:
        ledger.add(Outputs(verdicts=[change(level, at, account=name, scope_id=name)]))
    ledger.add(Outputs(verdicts=[change("allow", 40, account="a", scope_id="a")]))

    def outcome() -> tuple[int, int, float | None, int, int]:
        found = result_of(
            day,
            ledger,
            seed=1,
            counts={"alerts": 0, "dead_letters": 0},
            seconds=1.0,
            versions={},
        )
        (told,) = found.campaigns
        return (
            found.campaigns_found,
            told.caught,
            told.median_requests,
            found.benign_watched,
            found.benign_throttled,
        )

    assert outcome() == (1, 2, 20.0, 1, 0)
    ledger.add(Outputs(verdicts=[change("throttle", 9, account="y", scope_id="y")]))
    assert outcome() == (1, 2, 20.0, 1, 1)
