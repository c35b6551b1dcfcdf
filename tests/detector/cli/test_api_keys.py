"""`stillwatch keys` and how `stillwatch api` starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from detector.key_ring import read_keys

NOW_S = 1_760_000_000.0


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_new_key_is_printed_once_and_its_entry_kept(tmp_path: Path) -> None:
    """stdout is the key alone; the file, its owner's only, has the hash and not the secret."""
    file = tmp_path / "keys.toml"
    code, out, _ = run("keys", "new", "--role", "gateway", "--tenant", "acme", "--keys", file)
    assert code == 0
    key = out.strip()
    assert key.startswith("sw_")
    assert file.stat().st_mode & 0o777 == 0o600
    assert key.rpartition("_")[2] not in file.read_text()
    found = read_keys(file).find(key, NOW_S)
    assert found is not None
    assert (found.role, found.tenant) == ("gateway", "acme")


def test_keys_are_added_and_listed(tmp_path: Path) -> None:
    """Comments of the file stay; labels and ends are shown; no secret is."""
    file = tmp_path / "keys.toml"
    file.write_text("# our keys\n")
    options = ("--keys", file, "--tenant", "*")
    label = 'dana "d" \\ ü'
    first = run("keys", "new", "--role", "admin", "--label", label, *options)[1].strip()
    code, second, _ = run("keys", "new", "--role", "viewer", "--expires", "2027-01-31", *options)
    assert code == 0
    assert file.read_text().startswith("# our keys\n")
    ring = read_keys(file)
    assert [key.label for key in ring.entries()] == [label, ""]
    ends_s = 1_801_353_600.0
    assert ring.find(second.strip(), ends_s - 1.0) is not None
    assert ring.find(second.strip(), ends_s) is None
    code, out, _ = run("keys", "list", "--keys", file)
    assert code == 0
    assert "admin" in out
    assert "2027-01-31T00:00:00.000Z" in out
    assert first not in out


def test_without_a_file_the_entry_is_told_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that stdout stays the key alone."""
    monkeypatch.delenv("STILLWATCH_KEYS", raising=False)
    code, out, err = run("keys", "new", "--role", "viewer")
    assert code == 0
    assert out.count("\n") == 1
    assert "[[keys]]" in err
    assert out.strip() not in err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--expires", "soon"), "no date"),
        (("--expires", "2027-01-31T12:00:00"), "zone"),
        (("--tenant", ""), "--tenant"),
        (("--label", "a\nb"), "--label"),
    ],
)
def test_a_wrong_option_is_one_sentence(tmp_path: Path, options: tuple[str], told: str) -> None:
    """And no file is written."""
    file = tmp_path / "keys.toml"
    code, out, err = run("keys", "new", "--role", "viewer", "--keys", file, *options)
    assert (code, out) == (2, "")
    assert told in err
    assert not file.exists()


def test_a_damaged_file_is_left_as_it_is(tmp_path: Path) -> None:
    """A new entry is not added to what cannot be read."""
    file = tmp_path / "keys.toml"
    file.write_text("[[keys]]\nid = 3\n")
    code, _, err = run("keys", "new", "--role", "viewer", "--keys", file)
    assert code == 2
    assert str(file) in err
    assert file.read_text() == "[[keys]]\nid = 3\n"


def test_the_api_does_not_start_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence that says how to make one; an empty file is as none."""
    monkeypatch.delenv("STILLWATCH_KEYS", raising=False)
    empty = tmp_path / "keys.toml"
    empty.write_text("")
    for options in ((), ("--keys", empty)):
        code, _, err = run("api", *options)
        assert code == 2
        assert "stillwatch keys new" in err
        assert err.count("\n") == 1
    code, _, err = run("api", "--keys", tmp_path / "none.toml")
    assert code == 2
    assert "no such file" in err


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """Named before anything is opened."""
    file = tmp_path / "keys.toml"
    run("keys", "new", "--role", "admin", "--keys", file)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run("api", "--keys", file, "--port", port)
    assert code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in err
