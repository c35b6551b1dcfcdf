"""`stillwatch demo` as a newcomer meets it: a process that plays, serves and ends at Ctrl-C."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from detector.cli.demo_guide import example_account
from detector.cli.demo_serving import DemoClock, demo_api, usable_port
from detector.cli.main import app
from detector.ledger import Ledger
from detector.output_records import TOPICS, output_records
from detector.outputs import Outputs
from detector.settings import load_settings
from streams.memory_log import MemoryLog
from tests.detector.test_ledger import change, score
from tests.detector.tiny_models import write_tiny_models

LIMIT_S = 120.0


@dataclass
class Served:
    """A demo that serves: what it printed until then."""

    process: subprocess.Popen[str]
    text: str
    given: dict[str, str] = field(default_factory=dict)


@contextmanager
def serving(root: Path, port: int) -> Iterator[Served]:
    """A demo with 20 benign accounts and the shipped models that was asked to take this port."""
    given = ["demo", "--accounts", "20", "--lake", str(root / "lake"), "--port", str(port)]
    with subprocess.Popen(
        [sys.executable, "-c", "from detector.cli.main import app; app()", *given],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        too_long = threading.Timer(LIMIT_S, process.kill)
        too_long.start()
        try:
            assert process.stdout is not None
            text = ""
            for line in process.stdout:
                text += line
                if line.startswith("Serving until"):
                    break
            values = re.findall(r"^  (URL|KEY|GATEWAY)=(\S+)$", text, re.M)
            yield Served(process, text, dict(values))
        finally:
            too_long.cancel()
            process.kill()


def test_it_serves_what_it_found_until_ctrl_c(tmp_path: Path) -> None:
    """The port is taken: it says so and takes another. The keys it shows open the day's alerts, an
    account's page with its scores, and a gateway's decision; Ctrl-C ends it with exit 0."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path, port) as demo:
            assert f"port {port} is taken" in demo.text
            url = demo.given["URL"]
            bearer = {"Authorization": f"Bearer {demo.given['KEY']}"}
            gateway = {"X-Stillwatch-Key": demo.given["GATEWAY"]}
            with httpx.Client(base_url=url) as client:
                assert client.get("/healthz").json() == {"status": "alive"}
                assert client.get("/readyz").json()["ready"] is True
                assert client.get("/docs").status_code == 200
                assert client.get("/v1/alerts", headers=gateway).status_code == 403
                (alert,) = client.get("/v1/alerts?limit=1", headers=bearer).json()["items"]
                told = re.search(r"what is known of (\S+):", demo.text)
                level = re.search(r"the answer is (\w+):", demo.text)
                assert told is not None
                assert level is not None
                account = told[1]
                page = client.get(f"/v1/accounts/{account}", headers=bearer).json()
                asked = {**gateway, "X-Stillwatch-Account": account}
                decision = client.get("/v1/decision", headers=asked)
            assert alert["verdict"]
            assert page["verdicts"]
            assert page["scores"]
            assert decision.status_code == 204
            assert decision.headers["X-Stillwatch-Verdict"] == level[1] == "throttle"
            assert f'"Authorization: Bearer $KEY" "$URL/v1/accounts/{account}"' in demo.text
            demo.process.send_signal(signal.SIGINT)
            last, errors = demo.process.communicate(timeout=LIMIT_S)
        assert demo.process.returncode == 0
        assert last.strip() == "Stopping."
        assert "Traceback" not in errors
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz")


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    """A free port is kept; 0 becomes a number."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert usable_port("127.0.0.1", port) not in (0, port)
    assert usable_port("127.0.0.1", port) == port


def test_an_address_that_is_not_ours_is_a_sentence(tmp_path: Path) -> None:
    """Another port would not help: exit 2 before the day is played."""
    given = ["demo", "--accounts", "1", "--host", "192.0.2.1", "--no-lake"]
    given += ["--model-dir", str(write_tiny_models(tmp_path))]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2
    assert "cannot listen on 192.0.2.1" in result.stderr


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ({"a": "restrict", "b": "throttle", "c": "watch"}, ("b", "throttle")),
        ({"a": "watch", "c": "restrict"}, ("c", "restrict")),
        ({}, ("b", "allow")),
    ],
)
def test_the_example_is_the_account_that_shows_most(
    verdicts: dict[str, str], expected: tuple[str, str]
) -> None:
    """A throttled account before a restricted one before a watched one; else the highest score."""
    log = MemoryLog()
    for topic in TOPICS:
        log.create_topic(topic)
    changes = [
        change(level, 10, account=name, scope_id=name, at_s=1.0, expires_at_s=100.0)
        for name, level in verdicts.items()
    ]
    scores = {"a": 0.5, "b": 0.9, "c": 0.7}
    out = Outputs(
        verdicts=changes, scores=[score(name, value, 10) for name, value in scores.items()]
    )
    log.producer().send(output_records(out))
    ledger = Ledger()
    ledger.add(out)
    settings = load_settings(port=0)
    with demo_api(settings, log, DemoClock(50.0)) as api:
        api.catch_up()
        assert example_account(ledger, api) == expected
