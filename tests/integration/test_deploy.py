"""deploy/ fits the program: every command, setting and path that it names is there.

There is no Docker here: neither is the image built nor the deployment brought up. The command is
run from a copy of exactly the files that the image holds.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from detector.policy import default_policy_path, load_policy
from detector.settings import SETTINGS_FILE_VARIABLE, Settings, load_settings
from streams.kafka_settings import KafkaSettings
from streams.topics import topic_specs
from tests.services.compose_file import read_compose
from tests.services.nginx import CONF
from tests.services.nginx import nginx_program as _nginx_program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
MADE_BY_OPERATOR = {"./gateway-key.conf"}
"""Mounted files that the head of compose.yaml says how to make."""


def compose() -> dict[str, Any]:
    """The services by name."""
    found: dict[str, Any] = read_compose(DEPLOY / "compose.yaml")["services"]
    return found


def ours() -> dict[str, Any]:
    """The services that run our image."""
    return {n: s for n, s in compose().items() if s["image"].startswith("stillwatch")}


def variables(environment: dict[str, str]) -> dict[str, str]:
    """Those that are settings."""
    return {name: value for name, value in environment.items() if name.startswith("STILLWATCH_")}


def image_variables() -> dict[str, str]:
    """ENV of the image."""
    text = dockerfile()[dockerfile().index("\nENV ") + 5 :].split("\nUSER")[0].replace("\\\n", " ")
    return dict(word.split("=", 1) for word in shlex.split(text))


def dockerfile() -> str:
    """The Dockerfile's text."""
    return (DEPLOY / "Dockerfile").read_text("utf-8")


def copies() -> list[tuple[str, str]]:
    """What the image copies from the checkout, and where to."""
    found = re.findall(r"^COPY (?!--)(\S+) (\S+)$", dockerfile(), re.MULTILINE)
    assert len(found) == len(re.findall(r"^COPY (?!--)", dockerfile(), re.MULTILINE))
    return found


def test_the_settings_explain_every_setting() -> None:
    """The file loads; each setting and each of Kafka's stands in it once, set or as a comment."""
    text = (DEPLOY / "stillwatch.toml").read_text("utf-8")
    settings = load_settings(DEPLOY / "stillwatch.toml")
    assert settings.group == "stillwatch"
    main, kafka = text.split("\n[kafka]\n")
    for part, names in (
        (main, set(Settings.model_fields) - {"kafka"}),
        (kafka, set(KafkaSettings.model_fields)),
    ):
        named = re.findall(r"^(?:# )?([a-z_]+) = ", part, re.MULTILINE)
        assert sorted(named) == sorted(names)


def test_settings_hold_no_secret() -> None:
    """What must be kept secret is not in the file."""
    given = tomllib.loads((DEPLOY / "stillwatch.toml").read_text("utf-8"))
    assert given.keys().isdisjoint({"hmac_key", "database"})
    assert not [name for name in given["kafka"] if "password" in name or "secret" in name]


def test_the_policy_is_the_packages_own() -> None:
    """deploy/policy.toml is the very file that a worker loads by default."""
    assert (DEPLOY / "policy.toml").resolve() == default_policy_path().resolve()
    assert load_settings(DEPLOY / "stillwatch.toml").policy == default_policy_path()
    load_policy(DEPLOY / "policy.toml")


@pytest.mark.parametrize("service", sorted(ours()))
def test_commands_and_settings_of_the_services(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command of ours has its subcommand and options, and its environment makes settings."""
    spec = ours()[service]
    given = variables(image_variables() | spec.get("environment", {}))
    settings_file = given.pop(SETTINGS_FILE_VARIABLE)
    assert any(line.split(":")[1] == settings_file for line in spec["volumes"])
    known = {f"STILLWATCH_{name.upper()}" for name in Settings.model_fields}
    assert {name.split("__")[0] for name in given} <= known
    for name, value in given.items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:[?-][^}]*\}", "x", value))
    load_settings(DEPLOY / "stillwatch.toml")
    done = CliRunner().invoke(app, [*spec["command"], "--help"])
    assert done.exit_code == 0, done.output
    for option in (word for word in spec["command"] if word.startswith("-")):
        assert option in done.output


def test_ports_of_the_services_agree() -> None:
    """Health is asked where the command serves it; the API is published where it listens; Kafka is
    reached under the name of its service."""
    settings = load_settings(DEPLOY / "stillwatch.toml")
    services = compose()
    for name in ("worker", "worker-gpu", "cohorts", "lake", "rekey"):
        command = services[name]["command"]
        port = command[command.index("--metrics-port") + 1]
        assert f":{port}/metrics" in services[name]["healthcheck"]["test"][-1]
    assert f":{settings.port}/readyz" in services["api"]["healthcheck"]["test"][-1]
    assert services["api"]["ports"] == [f"127.0.0.1:{settings.port}:{settings.port}"]
    listeners = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"PLAINTEXT://{settings.kafka.bootstrap}," in listeners
    jars = (ROOT / "tests/services/pom.xml").read_text("utf-8")
    version = services["kafka"]["image"].removeprefix("apache/kafka:")
    assert f"<version>{version}</version>" in jars, "the tests run on the same Kafka"
    input_spec = topic_specs(settings.input_topic)[0]
    assert settings.kafka.max_record_bytes == int(input_spec.configs["max.message.bytes"])


def test_paths_and_names_of_the_services() -> None:
    """What is mounted from here exists; named volumes, services and builds too."""
    whole = read_compose(DEPLOY / "compose.yaml")
    head = (DEPLOY / "compose.yaml").read_text("utf-8")
    for name, spec in whole["services"].items():
        for volume in spec.get("volumes", []):
            source = volume.split(":")[0]
            if source in MADE_BY_OPERATOR:
                assert f"> {source.removeprefix('./')}" in head
            elif source.startswith("."):
                assert (DEPLOY / source).is_file(), (name, source)
            else:
                assert source in whole["volumes"], (name, source)
        assert spec.get("depends_on", {}).keys() <= whole["services"].keys()
        if "build" in spec:
            root = (DEPLOY / spec["build"]["context"]).resolve()
            assert (root / spec["build"]["dockerfile"]).is_file()
            for argument in spec["build"].get("args", {}):
                assert f"ARG {argument}=" in dockerfile()
    for needed in set(re.findall(r"\$\{(\w+):\?", head)):
        assert f"{needed}=%s" in head, "the head says how to make it"


def test_the_gateways_configuration(tmp_path: Path) -> None:
    """The nginx service's command puts its addresses into the example; nginx takes the result."""
    program = _nginx_program()
    shell, option, script = compose()["nginx"]["command"]
    assert compose()["nginx"]["volumes"][0].split(":")[0] == "./nginx/stillwatch.conf"
    made = tmp_path / "default.conf"
    for old, new in (
        ("/etc/stillwatch/stillwatch.conf", str(CONF)),
        ("/etc/nginx/conf.d/default.conf", str(made)),
        (" && exec nginx -g 'daemon off;'", ""),
        ("$$", "$"),
    ):
        assert old in script
        script = script.replace(old, new)
    subprocess.run([shell, option, script], env={"MODEL": "127.0.0.2:7777"}, check=True)
    text = made.read_text("utf-8")
    assert text.count("server api:8000;") == text.count("server 127.0.0.2:7777;") == 1
    made.write_text(text.replace("api:8000", "127.0.0.2:8000"))  # no such host here
    (tmp_path / "stillwatch-key.conf").write_text('proxy_set_header X-Stillwatch-Key "k";\n')
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid; events {{}} http {{ include {made}; }}")
    tested = subprocess.run(
        [program, "-t", "-p", str(tmp_path), "-c", str(main), "-e", "stderr"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stderr


def test_the_image_copies_what_is_there_and_reaches_the_builder() -> None:
    """Every COPY names something here that .dockerignore lets through; requirements carry hashes;
    no registry is named; the user is not root."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    let_through = [line[1:] for line in lines if line.startswith("!")]
    assert lines[1] == "*"
    for source, _ in copies():
        assert (ROOT / source).exists(), source
        assert any(source == one or fnmatch(source, f"{one}/*") for one in let_through), source
    text = dockerfile()
    assert "--require-hashes" in text
    assert "index-url" not in text
    assert "requirements-dev" not in text
    assert text.index("\nUSER stillwatch") < text.index("\nENTRYPOINT")
    assert "--hash=sha256:" in (ROOT / "requirements.txt").read_text("utf-8")


@pytest.mark.slow
def test_the_command_runs_from_the_images_files(tmp_path: Path) -> None:
    """From a copy of what the image holds the command finds its modules, models, policy and
    settings, and comes as far as asking for Kafka."""
    for source, target in copies():
        if not target.startswith(("/opt/", "/etc/")):
            continue
        to = tmp_path / target[1:]
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to = to / Path(source).name if target.endswith("/") else to
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, to)
    home = tmp_path / "var/lib/stillwatch"
    home.mkdir(parents=True)
    script = re.search(r"printf '#!\S+\\n(.*?)' >", dockerfile())
    assert script is not None
    variables_ = image_variables()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(tmp_path / variables_["PYTHONPATH"][1:]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
        "STILLWATCH_KAFKA__BOOTSTRAP": "kafka.invalid:9092",  # a name that is nobody's by RFC 2606
        "STILLWATCH_KAFKA__START_LIMIT_S": "0",
        SETTINGS_FILE_VARIABLE: str(tmp_path / variables_[SETTINGS_FILE_VARIABLE][1:]),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script[1].encode().decode("unicode_escape"), *arguments],
            env=environment, cwd=home, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    checked = run("policy", "check", str(DEPLOY / "policy.toml"))
    assert checked.returncode == 0, checked.stderr
    started = run("worker", "--member", "one")
    assert started.returncode == 2
    assert "Traceback" not in started.stderr, started.stderr
    assert "kafka.invalid:9092" in started.stderr
    assert not list((tmp_path / "opt").rglob("train*.py"))
