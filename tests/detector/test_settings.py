"""Settings: who wins, and what is said of a wrong one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from detector.settings import SettingsError, load_settings, packaged_models


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STILLWATCH_FORMAT", "STILLWATCH_TENANT", "STILLWATCH_DATA"):
        monkeypatch.delenv(name, raising=False)


def test_command_line_then_environment_then_file_then_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source wins over the ones after it, setting by setting."""
    file = tmp_path / "settings.toml"
    file.write_text('format = "otel"\ntenant = "file"\nlateness_s = 60.0\n')
    monkeypatch.setenv("STILLWATCH_TENANT", "environment")
    monkeypatch.setenv("STILLWATCH_FORMAT", "bedrock")
    found = load_settings(file, format="litellm", policy=None)
    assert (found.format, found.tenant, found.lateness_s) == ("litellm", "environment", 60.0)
    assert found.bad_ratio_cap == 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b, metadata[team]", ("a.b", "metadata[team]")),
        ('["a,b", "c"]', ("a,b", "c")),
        ("", ()),
    ],
)
def test_account_paths_from_the_environment(
    text: str, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comma-separated list or a JSON list, for paths that hold a comma."""
    monkeypatch.setenv("STILLWATCH_ACCOUNT_FROM", text)
    assert load_settings().intake.account_from == expected


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("nonsense = 1\n", "nonsense"),
        ("bad_ratio_cap = 2.0\n", "bad_ratio_cap"),
        ("account_from = 5\n", "account_from"),
        ('input_topic = "a"\nrekey_from = "a"\n', "rekey_from"),
        ("not toml", "settings"),
    ],
)
def test_a_wrong_setting_is_named(text: str, field: str, tmp_path: Path) -> None:
    """The error carries the setting's name and says it in one line."""
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_a_missing_settings_file_is_an_error(tmp_path: Path) -> None:
    """A file that was named and is not there is not passed over."""
    with pytest.raises(SettingsError, match="there is no file"):
        load_settings(tmp_path / "none.toml")


def test_the_key_does_not_show() -> None:
    """Printing the settings does not print the HMAC key, which intake still gets."""
    found = load_settings(hmac_key="very secret")
    assert "very secret" not in repr(found)
    assert found.intake.hmac_key == b"very secret"


SECURED = """
[kafka]
bootstrap = "from-file:1"
security_protocol = "SASL_SSL"
sasl_mechanism = "PLAIN"
sasl_username = "me"
"""


def test_naming_the_brokers_leaves_the_links_security(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--kafka HOST:PORT` and STILLWATCH_KAFKA change the brokers alone: login and encryption of
    the file, and secrets of STILLWATCH_KAFKA__…, stay. A link must never lose them in silence."""
    file = tmp_path / "settings.toml"
    file.write_text(SECURED)
    monkeypatch.delenv("STILLWATCH_KAFKA", raising=False)
    monkeypatch.setenv("STILLWATCH_KAFKA__SASL_PASSWORD", "hush")
    wanted = load_settings(file).kafka
    assert wanted.security_protocol == "SASL_SSL"
    assert wanted.sasl_password is not None
    given = load_settings(file, kafka="given:2").kafka
    monkeypatch.setenv("STILLWATCH_KAFKA", "environment:3")
    named = load_settings(file).kafka
    assert given == wanted.model_copy(update={"bootstrap": "given:2"})
    assert named == wanted.model_copy(update={"bootstrap": "environment:3"})
    assert load_settings(file, kafka="given:2").kafka == given


def test_a_wrong_link_is_told_without_its_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the error nor what it was raised from holds the password, nor does the repr of good
    settings: tracebacks end up in logs."""
    file = tmp_path / "settings.toml"
    file.write_text(SECURED.replace("SASL_SSL", "SSL"))
    monkeypatch.setenv("STILLWATCH_KAFKA__SASL_PASSWORD", "hush-hush")
    with pytest.raises(SettingsError, match="sasl_mechanism goes with") as caught:
        load_settings(file)
    assert caught.value.field == "kafka"
    assert "hush-hush" not in f"{caught.value}{caught.value.__cause__}"
    file.write_text(SECURED)
    assert "hush-hush" not in repr(load_settings(file))


def test_the_packaged_models_are_found_without_importing_the_workshop() -> None:
    """The folder lies in the `models` package, and that package is not loaded."""
    code = (
        "import sys; from detector.settings import packaged_models; "
        "print(packaged_models()); sys.exit('models' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(packaged_models())
    assert packaged_models().parts[-2:] == ("models", "artifacts")
