"""`stillwatch db`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from typer.testing import CliRunner

from detector.cli.db import app
from detector.store.alert_store import AlertStore
from tests.detector.store.feed import alert, record


def test_upgrade_makes_the_schema_and_may_be_repeated(tmp_path: Path) -> None:
    """It says what it did; a database that cannot be used is one sentence and exit code 2."""
    url = f"sqlite:///{tmp_path}/new/alerts.db"
    first = CliRunner().invoke(app, ["upgrade", "--database", url])
    assert (first.exit_code, first.stdout) == (0, f"{url}: schema from nothing to 0001\n")
    again = CliRunner().invoke(app, ["upgrade", "--database", url])
    assert (again.exit_code, again.stdout) == (0, f"{url}: schema is at 0001\n")
    AlertStore(url, migrate=False).close()
    wrong = CliRunner().invoke(app, ["upgrade", "--database", "mysql://h/d"])
    assert wrong.exit_code == 2
    assert "only sqlite and postgresql" in wrong.stderr


def test_prune_removes_old_alerts(tmp_path: Path) -> None:
    """Counted in days before now."""
    url = f"sqlite:///{tmp_path}/alerts.db"
    with closing(AlertStore(url)) as store:
        store.apply(
            [
                record(0, alert("old", 1, revised_at="2001-01-01T00:00:00Z")),
                record(1, alert("new", 1, revised_at="2999-01-01T00:00:00Z")),
            ]
        )
    done = CliRunner().invoke(app, ["prune", "--older-than-days", "30", "--database", url])
    assert (done.exit_code, done.stdout) == (0, "1 revisions removed\n")
    with closing(AlertStore(url)) as store:
        assert store.revisions(None, "old") == []
        assert len(store.revisions(None, "new")) == 1
