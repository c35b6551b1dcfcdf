"""`stillwatch replay` over small files with the tiny model."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from streams.envelope import decode
from tests.detector.builders import DAY_S, T0_S, ask
from tests.detector.logs import N_CHAT, N_HARVEST, small_log, write_log
from tests.detector.tiny_models import write_tiny_models

KEYS = {
    "account",
    "requests",
    "new_pieces",
    "cue_pieces",
    "score",
    "verdict",
    "worst_verdict",
    "first_watch_at",
    "first_throttle_at",
    "reason",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model."""
    return write_tiny_models(tmp_path_factory.mktemp("models"))


def replay(models: Path, *arguments: object, code: int = 0) -> tuple[str, str]:
    """Runs the command; (stdout, stderr)."""
    given = ["replay", "--model-dir", str(models), *map(str, arguments)]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def accounts(stdout: str) -> dict[str, dict[str, Any]]:
    """The lines of --json by account."""
    lines = [json.loads(line) for line in stdout.splitlines()]
    assert len({line["account"] for line in lines}) == len(lines)
    return {line["account"]: line for line in lines}


def test_json_gives_one_line_an_account(models: Path, tmp_path: Path) -> None:
    """Counts are those at the end of input; the harvester is throttled early, the person never."""
    stdout, _ = replay(models, write_log(tmp_path / "log.jsonl", small_log()), "--json")
    found = accounts(stdout)
    assert set(found) == {"harvester", "person"}
    harvester, person = found["harvester"], found["person"]
    assert set(harvester) == set(person) == KEYS
    assert (harvester["requests"], harvester["new_pieces"]) == (N_HARVEST, N_HARVEST)
    assert (person["requests"], person["verdict"]) == (N_CHAT, "allow")
    assert harvester["verdict"] in ("throttle", "restrict")
    assert 0 < harvester["first_throttle_at"] <= N_HARVEST
    assert harvester["first_watch_at"] <= harvester["first_throttle_at"]
    assert harvester["reason"]
    assert (person["first_watch_at"], person["first_throttle_at"]) == (None, None)
    assert 0.0 <= person["score"] < harvester["score"] <= 1.0


def test_an_account_of_one_request_has_a_score(models: Path, tmp_path: Path) -> None:
    """The end of input scores accounts that never reached a scoring point."""
    log = write_log(tmp_path / "log.jsonl", [ask(event_id="a", event_time_s=T0_S)])
    line = accounts(replay(models, log, "--json")[0])["acme"]
    assert line["requests"] == 1
    assert isinstance(line["score"], float)


def test_an_account_that_fell_silent_is_still_in_the_result(models: Path, tmp_path: Path) -> None:
    """A finite log drops nobody, however long the time after."""
    requests = [
        ask(account="early", event_id="a", event_time_s=T0_S),
        *(ask(account="late", event_id=f"b{i}", event_time_s=T0_S + i * DAY_S) for i in range(90)),
    ]
    stdout, _ = replay(models, write_log(tmp_path / "log.jsonl", requests), "--json")
    assert accounts(stdout)["early"]["requests"] == 1


def test_files_are_merged_by_time(models: Path, tmp_path: Path) -> None:
    """Two files cut by account give what one file in order gives; one of them is gzipped."""
    log = small_log()
    whole, _ = replay(models, write_log(tmp_path / "whole.jsonl", log), "--json")
    parts = tmp_path / "parts"
    parts.mkdir()
    write_log(parts / "a.jsonl", [r for r in log if r.account == "harvester"])
    rest = b"\n".join(msgspec.json.encode(r) for r in log if r.account != "harvester")
    (parts / "b.jsonl.gz").write_bytes(gzip.compress(rest))
    assert replay(models, parts, "--json")[0] == whole


def test_a_client_from_the_future_ends_no_verdict(models: Path, tmp_path: Path) -> None:
    """One record of the year 2099 in the middle of a file changes nothing for the others."""
    log = small_log()
    before, _ = replay(models, write_log(tmp_path / "log.jsonl", log), "--json")
    future = ask(account="future", event_id="f", event_time_s=4_080_000_000.0)
    log.insert(70, future)
    after, _ = replay(models, write_log(tmp_path / "log.jsonl", log), "--json")
    found = accounts(after)
    del found["future"]
    assert found == accounts(before)


def test_the_table_tells_what_was_not_judged(models: Path, tmp_path: Path) -> None:
    """Unattributed records, duplicates and dead letters (with file, line and reason) are said."""
    log = small_log()
    path = write_log(tmp_path / "log.jsonl", [*log, log[3]], b"{broken", b"[1, 2]")
    letters = tmp_path / "dead.jsonl"
    stdout, _ = replay(models, path, "--dead-letters", letters)
    assert "1 requests have no account" in stdout
    assert "1 duplicates dropped" in stdout
    assert "2 dead letters" in stdout
    assert f"{path}:2: expected" in stdout
    assert f"{path}:3: expected" in stdout
    assert "classifier tiny" in stdout
    assert "policy default-1+" in stdout
    kept = [json.loads(line) for line in letters.read_text().splitlines()]
    assert [letter["line"] for letter in kept] == [2, 3]


def test_the_table_is_cut_at_top(models: Path, tmp_path: Path) -> None:
    """The first accounts by score are shown, and how many more there are."""
    path = write_log(tmp_path / "log.jsonl", small_log())
    stdout, _ = replay(models, path, "--top", 1)
    assert "harvester" in stdout
    assert "person" not in stdout
    assert "1 more" in stdout


def test_alerts_are_written_as_events(models: Path, tmp_path: Path) -> None:
    """One CloudEvent a line, the first of an alert opens it."""
    out = tmp_path / "alerts.jsonl"
    replay(models, write_log(tmp_path / "log.jsonl", small_log()), "--json", "--alerts", out)
    events = [decode(line) for line in out.read_bytes().splitlines()]
    assert {event.subject for event in events} == {"harvester"}
    assert msgspec.json.decode(events[0].data)["state"] == "open"


def test_parquet_of_the_same_files_is_replaced(models: Path, tmp_path: Path) -> None:
    """A second replay of a file does not double its rows; `query` reads them."""
    log = small_log()
    path, lake = write_log(tmp_path / "log.jsonl", log), tmp_path / "lake"
    for _ in range(2):
        replay(models, path, "--json", "--parquet", lake)
    sql = "SELECT count(*) AS n FROM facts"
    result = CliRunner().invoke(app, ["query", sql, "--lake", str(lake), "--format", "json"])
    assert json.loads(result.stdout) == {"n": len(log)}


def test_too_many_bad_records_stop_with_a_sentence(models: Path, tmp_path: Path) -> None:
    """Exit 1, the reason on stderr, nothing on stdout."""
    path = tmp_path / "log.jsonl"
    path.write_text("5\n" * 300)
    stdout, stderr = replay(models, path, "--json", code=1)
    assert stdout == ""
    assert "over the cap" in stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_log_of_which_nothing_was_read_stops_with_a_sentence(
    options: tuple[str, ...], models: Path, tmp_path: Path
) -> None:
    """Too few records for the cap: exit 1 all the same, and where to look."""
    path = tmp_path / "log.jsonl"
    path.write_text("{broken\n[1]\n")
    stdout, stderr = replay(models, path, *options, code=1)
    assert stdout == ""
    assert "2 of 2 records cannot be read" in stderr
    assert f"stillwatch inspect {path}" in stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--model-dir", "nowhere", "the cue model is missing"),
        ("--policy", "nowhere.toml", "cannot be read"),
        ("--format", "nowhere", "expected one of"),
        ("--alerts", "nowhere/alerts.jsonl", "cannot be written"),
    ],
)
def test_a_wrong_option_stops_with_a_sentence(
    option: str, value: str, says: str, models: Path, tmp_path: Path
) -> None:
    """Exit 2 and one sentence that says what to do."""
    path = write_log(tmp_path / "log.jsonl", small_log())
    given = value if option == "--format" else tmp_path / value
    stdout, stderr = replay(models, path, "--json", option, given, code=2)
    assert stdout == ""
    assert says in stderr.splitlines()[-1]


def test_a_missing_file_stops_with_a_sentence(models: Path, tmp_path: Path) -> None:
    """The path is named."""
    _, stderr = replay(models, tmp_path / "none.jsonl", code=2)
    assert "none.jsonl: no such file" in stderr


def test_as_a_program_stdout_holds_json_only(models: Path, tmp_path: Path) -> None:
    """Logs and progress of the real program go to stderr; settings come from the environment."""
    path = write_log(tmp_path / "log.jsonl", small_log())
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from detector.cli.main import app; app()",
            "replay",
            path,
            "--json",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "STILLWATCH_MODEL_DIR": str(models)},
    )
    assert set(accounts(done.stdout)) == {"harvester", "person"}
