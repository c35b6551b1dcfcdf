"""`stillwatch allow`, `undo`, `confirm`, `policy apply`, `model apply`: what they write."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli import control_options
from detector.cli.control_options import SwitchError, moment
from detector.cli.main import app
from detector.control import (
    CONTROL,
    Allow,
    Confirm,
    Disallow,
    ModelSwitch,
    PolicySwitch,
    SwitchRecord,
    Undo,
    read_control,
)
from detector.policy import default_policy_path, load_policy
from streams.memory_log import MemoryLog
from tests.detector.tiny_models import write_tiny_models
from tests.detector.worker_rig import read_all

NOW_S = 1_780_000_000.0


class _Log(MemoryLog):
    def close(self) -> None:
        """As a Kafka log has it."""


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> MemoryLog:
    """The log that the commands write to."""
    made = _Log()
    made.create_topic(CONTROL)
    monkeypatch.setattr(control_options, "log_from", lambda _: made)
    monkeypatch.setattr("detector.cli.control_options.time.time", lambda: NOW_S)
    monkeypatch.setattr("detector.cli.control_options.getpass.getuser", lambda: "kim")
    return made


def switch(log: MemoryLog, *arguments: str, code: int = 0) -> SwitchRecord:
    """What a command wrote last."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    found = read_control(read_all(log, CONTROL)[-1])
    assert isinstance(found, SwitchRecord)
    return found


def test_allow_and_its_end(log: MemoryLog) -> None:
    """The entry names entity, reason, end and who said so; --remove ends it."""
    said = switch(log, "allow", "acme", "--reason", "our own", "--until", "2d")
    assert isinstance(said, Allow)
    assert (said.by, said.reason) == ("kim", "our own")
    entry = said.entry
    assert (entry.tenant, entry.scope, entry.scope_id) == ("default", "account", "acme")
    assert (entry.until_s, entry.by, entry.excused) == (NOW_S + 2 * 86_400.0, "kim", ("*",))
    removed = switch(
        log, "allow", "corp", "--remove", "--reason", "over", "--scope", "organisation",
        "--tenant", "t", "--by", "lee",
    )  # fmt: skip
    assert removed == Disallow(
        by="lee", reason="over", tenant="t", scope="organisation", scope_id="corp"
    )


def test_undo_and_confirm(log: MemoryLog) -> None:
    """Both name the entity and the reason; an undo ends after 30 days unless said otherwise."""
    assert switch(log, "undo", "acme", "--reason", "appeal") == Undo(
        by="kim", reason="appeal", tenant="default", scope="account", scope_id="acme",
        until_s=NOW_S + 30 * 86_400.0,
    )  # fmt: skip
    assert switch(log, "confirm", "a/k", "--reason", "case", "--scope", "key") == Confirm(
        by="kim", reason="case", tenant="default", scope="key", scope_id="a/k"
    )


def test_policy_and_model_are_checked_before_they_are_written(
    log: MemoryLog, tmp_path: Path
) -> None:
    """The policy's text and the models' version are written; what cannot be used is not."""
    path = default_policy_path()
    said = switch(log, "policy", "apply", str(path), "--reason", "new")
    assert said == PolicySwitch(
        by="kim", reason="new", text=path.read_text("utf-8"), stamp=load_policy(path).stamp
    )
    folder = write_tiny_models(tmp_path / "m")
    assert switch(log, "model", "apply", str(folder)) == ModelSwitch(
        by="kim", folder=str(folder.resolve()), version="tiny/tiny"
    )
    (tmp_path / "bad.toml").write_text("version = 3")
    before = len(read_all(log, CONTROL))
    for arguments in (
        ["policy", "apply", str(tmp_path / "bad.toml")],
        ["model", "apply", str(tmp_path)],
        ["allow", "acme", "--reason", "r"],
        ["allow", "acme", "--reason", "r", "--until", "soon"],
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2, result.output
        assert result.stderr.count("stillwatch: ") == 1
    assert len(read_all(log, CONTROL)) == before


def test_moments() -> None:
    """Durations, dates and times; what is past or no time is refused."""
    assert moment("90m", NOW_S) == NOW_S + 5400.0
    assert moment("2w", NOW_S) == NOW_S + 14 * 86_400.0
    assert moment("2027-01-01", NOW_S) == 1_798_761_600.0
    assert moment("2027-01-01T00:00:00Z", NOW_S) == 1_798_761_600.0
    assert moment("2027-01-01T01:00:00+01:00", NOW_S) == 1_798_761_600.0
    for text in ("yesterday", "2001-01-01", "", "12"):
        with pytest.raises(SwitchError):
            moment(text, NOW_S)
