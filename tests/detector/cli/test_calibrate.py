"""`stillwatch calibrate`: own traffic in, a table of scores out, and what uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from detector.cli import calibrate as command
from detector.cli.main import app
from detector.policy import default_policy_path
from models.accounts import Account
from models.train_account import worst_scores
from models.vectors import sample_vectors
from streams.log import OutputRecord
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from streams.record import ApiRequest
from tests.detector.builders import T0_S, ask
from tests.detector.logs import PRIVATE, small_log, write_log
from tests.detector.tiny_models import WORD, write_tiny_models

N_ACCOUNTS, EACH = 12, 35


class _Log(MemoryLog):
    def close(self) -> None:
        """As a Kafka log has it."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model."""
    return write_tiny_models(tmp_path_factory.mktemp("models"))


def traffic() -> list[ApiRequest]:
    """Accounts that use the telling word more or less, early or late; one is too short."""
    out = []
    for a in range(N_ACCOUNTS):
        for i in range(9 if a == 0 else EACH):
            word = f"{WORD} " if (i % (a + 1)) == 0 and i < 20 else ""
            out.append(
                ask(
                    f"{word}{PRIVATE} {a} {i}",
                    account=f"customer-{a}",
                    event_id=f"e{a}-{i}",
                    event_time_s=T0_S + 60.0 * i + a,
                )
            )
    return sorted(out, key=lambda r: r.event_time_s or 0.0)


def run(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Runs a command; (stdout, stderr)."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def calibrated(models: Path, out: Path, *arguments: object) -> dict[str, Any]:
    """What the command writes."""
    run("calibrate", "--model-dir", models, "--out", out, *arguments)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_the_table_is_what_training_would_make_of_it(models: Path, tmp_path: Path) -> None:
    """Scores equal, number for number, those that the workshop's own code gives the same accounts
    as calibration accounts; the file holds no prompt and no account."""
    from detector.pipeline import load_models  # noqa: PLC0415

    requests = traffic()
    found = calibrated(models, tmp_path / "c.json", write_log(tmp_path / "log.jsonl", requests))
    loaded = load_models(models)
    names = sorted({r.account or "" for r in requests})
    accounts = [
        Account(n, n, n, 0, "chat", "bank", [r for r in requests if r.account == n]) for n in names
    ]
    samples = sample_vectors(accounts, loaded.cues)
    scores = loaded.scorer.probabilities(loaded.scorer.impute(samples.x)).astype(np.float64)
    want = worst_scores(scores, samples, len(accounts))
    want = np.sort(want[~np.isnan(want)])
    assert len(want) == N_ACCOUNTS - 1
    assert len(set(want.tolist())) > 3
    assert np.array_equal(np.array(found["scores"], np.float32), want.astype(np.float32))
    assert (found["accounts"], found["too_short"], found["excluded"]) == (N_ACCOUNTS - 1, 1, 0)
    assert found["made_from"] == ["log.jsonl"]
    assert found["first_event"] < found["last_event"]
    text = (tmp_path / "c.json").read_text()
    assert PRIVATE not in text
    assert "customer" not in text


def test_accounts_that_are_not_benign_are_left_out(models: Path, tmp_path: Path) -> None:
    """A harvester in the traffic has its score in the table unless it is named."""
    log = write_log(tmp_path / "log.jsonl", small_log())
    names = tmp_path / "known.txt"
    names.write_text("harvester\n\nnobody-of-that-name\n")
    with_it = calibrated(models, tmp_path / "a.json", log)
    without = calibrated(models, tmp_path / "b.json", log, "--exclude", names)
    assert (with_it["accounts"], without["accounts"], without["excluded"]) == (2, 1, 1)
    assert max(without["scores"]) < max(with_it["scores"])


def test_a_topic_gives_the_same_as_its_file(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partition by partition from its earliest record to its end."""
    log = _Log()
    log.create_topic("llm.requests", TopicSettings(partitions=3))
    log.producer().send(
        OutputRecord(
            "llm.requests",
            (r.account or "").encode(),
            msgspec.json.encode(r),
            r.event_time_s or 0.0,
        )
        for r in traffic()
    )
    monkeypatch.setattr(command, "log_from", lambda _: log)
    of_topic = calibrated(models, tmp_path / "t.json", "--topic", "llm.requests")
    of_file = calibrated(models, tmp_path / "f.json", write_log(tmp_path / "l.jsonl", traffic()))
    assert of_topic.pop("made_from") == ["topic llm.requests"]
    assert of_file.pop("made_from") == ["l.jsonl"]
    assert of_topic == of_file


def test_few_accounts_are_warned_of(models: Path, tmp_path: Path) -> None:
    """It says which p-values cannot be stated and which steps are out of reach."""
    log = write_log(tmp_path / "log.jsonl", traffic())
    _, said = run("calibrate", log, "--model-dir", models, "--out", tmp_path / "c.json")
    assert "few accounts: no p-value below 0.083" in said
    assert said.count("never reached: needs") == 4


def test_a_replay_uses_it(models: Path, tmp_path: Path) -> None:
    """With a calibration on eleven accounts no p-value reaches a step, so the harvester that the
    card's table throttles is let be; `policy check` says so too."""
    out = tmp_path / "c.json"
    calibrated(models, out, write_log(tmp_path / "own.jsonl", traffic()))
    log = write_log(tmp_path / "log.jsonl", small_log())

    def verdict(*more: object) -> str:
        stdout, _ = run("replay", log, "--json", "--model-dir", models, *more)
        lines = [json.loads(line) for line in stdout.splitlines()]
        (found,) = [line["worst_verdict"] for line in lines if line["account"] == "harvester"]
        return str(found)

    assert verdict() in ("throttle", "restrict")
    assert verdict("--calibration", out) in ("allow", "watch")
    given = ("--model-dir", models, "--calibration", out)
    stdout, _ = run("policy", "check", default_policy_path(), *given)
    assert "p-values of 11 accounts" in stdout


def test_what_stops_it(models: Path, tmp_path: Path) -> None:
    """Neither files nor topic, both, nothing to count, a list that is not there: one sentence."""
    log = write_log(tmp_path / "log.jsonl", traffic()[:20])
    given = ("--model-dir", models, "--out", tmp_path / "c.json")
    for arguments, words in (
        ((), "either files or a --topic"),
        ((log, "--topic", "t"), "either files or a --topic"),
        ((log,), "no account has 10 requests"),
        ((log, "--exclude", tmp_path / "absent"), "cannot be read"),
    ):
        _, said = run("calibrate", *arguments, *given, code=2)
        assert words in said
        told = [line for line in said.splitlines() if "no GPU" not in line]
        assert len(told) == 1
    assert not (tmp_path / "c.json").exists()


def test_policy_check_tells_and_refuses_a_budget(models: Path, tmp_path: Path) -> None:
    """Expected false alarms at N accounts a day; a budget that 2,000 accounts cannot state ends
    with exit 2 and the numbers."""
    text = default_policy_path().read_text("utf-8")
    path = tmp_path / "p.toml"
    budget = "\n[budget]\nactive_accounts_per_day = 100000\nthrottle_per_day = {}\n"
    path.write_text(text + budget.format(50))
    stdout, _ = run("policy", "check", path, "--model-dir", models)
    flat = " ".join(stdout.split())
    assert "100,000 active accounts a day, p-values of 2,000 accounts" in flat
    assert "throttle 0.0005 50 50" in flat
    stdout, _ = run("policy", "check", path, "--model-dir", models, "--active-accounts", 2001)
    assert "throttle 0.0005 1 50" in " ".join(stdout.split())
    path.write_text(text + budget.format(10))
    _, said = run("policy", "check", path, "--model-dir", models, code=2)
    assert "needs 9,999 calibration accounts, there are 2,000" in said
