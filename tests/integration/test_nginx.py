"""nginx, as the example in deploy/ sets it up, asks the API before each request to a model."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.detector.api.api_case import ApiCase, api_case, make_log, ring, until, verdict
from tests.detector.api.breakable_log import BreakableLog
from tests.services.mock_model import MockModel, mock_model
from tests.services.nginx import free_port, nginx

CUSTOMER_KEY = "Bearer sk-customer-0123456789"
CHAT = "/v1/chat/completions?stream=false"


@dataclass(frozen=True)
class Edge:
    """nginx before a model, and the port where it looks for the API."""

    url: str
    model: MockModel
    api_port: int

    def ask(self, account: str = "acme", *, body: bytes = b"{}", **headers: str) -> httpx.Response:
        """One chat request of an account; underscores in header names become hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(
            self.url + CHAT,
            content=body,
            headers={"X-Account": account, "Authorization": CUSTOMER_KEY, **named},
            timeout=10.0,
        )


@pytest.fixture(name="edge", scope="module")
def edge_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    port = free_port()
    _, secrets = ring()
    folder = tmp_path_factory.mktemp("nginx")
    with (
        mock_model() as model,
        nginx(folder, api_port=port, model_port=model.port, key=secrets["edge"]) as url,
    ):
        yield Edge(url, model, port)


@pytest.fixture(name="api")
def api_fixture(edge: Edge) -> Iterator[ApiCase]:
    with api_case(port=edge.api_port) as case:
        yield case


def test_block_is_denied_and_all_others_are_served(edge: Edge, api: ApiCase) -> None:
    """A blocked account gets 403 with our body and never reaches the model; others do."""
    api.give(verdict("block", scope_id="blocked", account="blocked"))
    before = len(edge.model.sent)
    denied = edge.ask("blocked")
    assert denied.status_code == 403
    assert denied.headers["content-type"] == "application/problem+json"
    assert denied.json()["status"] == 403
    assert len(edge.model.sent) == before
    served = [edge.ask(name) for name in ("someone", "another", "")]
    assert [answer.status_code for answer in served] == [200, 200, 200]
    assert len(edge.model.sent) == before + 3


def test_blocked_key_is_denied_whatever_the_account(edge: Edge, api: ApiCase) -> None:
    """The verdict on one key, named by the hash that the log has, denies that key alone."""
    hashed = hashlib.sha256(b"sk-stolen-0123456789").hexdigest()
    api.give(verdict("block", scope="key", scope_id=hashed, account="victim"))
    assert edge.ask("victim", Authorization="Bearer sk-stolen-0123456789").status_code == 403
    assert edge.ask("victim").status_code == 200


@pytest.mark.parametrize(("level", "burst"), [("throttle", 6), ("restrict", 3)])
def test_throttle_and_restrict_get_a_limit_of_their_own(
    edge: Edge, api: ApiCase, level: str, burst: int
) -> None:
    """Past the burst, 429; per account: a second one under the same verdict has its own."""
    for name in ("first", "second"):
        api.give(verdict(level, scope_id=f"{level}-{name}", account=f"{level}-{name}"))
    codes = [edge.ask(f"{level}-first").status_code for _ in range(burst + 2)]
    assert codes[:burst] == [200] * burst
    assert codes[-1] == 429
    refused = edge.ask(f"{level}-first")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "10"
    assert refused.json()["status"] == 429
    assert edge.ask(f"{level}-second").status_code == 200
    assert [edge.ask("free").status_code for _ in range(burst + 5)] == [200] * (burst + 5)


def test_watch_is_served_without_a_limit(edge: Edge, api: ApiCase) -> None:
    """`watch` changes nothing for the customer."""
    api.give(verdict("watch", scope_id="watched", account="watched"))
    assert [edge.ask("watched").status_code for _ in range(12)] == [200] * 12


def test_the_model_reads_the_verdict_and_the_customers_own_headers(
    edge: Edge, api: ApiCase
) -> None:
    """Upstream gets the verdict, path, body and Authorization unchanged, and not our key; a
    client's own X-Stillwatch headers do not get through; nor does our key reach the client."""
    api.give(verdict("restrict", scope_id="leaky", account="leaky"))
    body = b'{"messages":[]}' + b" " * 300_000
    answer = edge.ask(
        "leaky",
        body=body,
        X_Stillwatch_Verdict="allow",
        X_Stillwatch_Key="sw_0000_mine",
    )
    assert answer.status_code == 200
    sent = edge.model.sent[-1]
    assert (sent.method, sent.path, sent.body) == ("POST", CHAT, body)
    assert sent.headers["authorization"] == CUSTOMER_KEY
    assert sent.headers["x-stillwatch-verdict"] == "restrict"
    everywhere = [*sent.headers.values(), *answer.headers.values(), answer.text]
    assert not any("sw_" in value for value in everywhere)
    assert not [name for name in answer.headers if name.startswith("x-stillwatch")]


def test_a_client_has_no_say_in_tenant_or_organisation(edge: Edge, api: ApiCase) -> None:
    """Headers that would make the API look elsewhere do not pass nginx."""
    api.give(verdict("block", scope="organisation", scope_id="org", account="elsewhere"))
    api.give(verdict("block", scope_id="blocked", account="blocked"))
    assert edge.ask("someone", X_Stillwatch_Organisation="org").status_code == 200
    assert edge.ask("blocked", X_Stillwatch_Tenant="other").status_code == 403
    assert edge.ask("blocked", X_Stillwatch_Account="someone").status_code == 403


def test_everybody_is_served_while_the_api_is_stopped(edge: Edge) -> None:
    """Fails open: nobody listens at the API's address."""
    before = len(edge.model.sent)
    assert edge.ask("blocked").status_code == 200
    assert "x-stillwatch-verdict" not in edge.model.sent[before].headers


def test_everybody_is_served_soon_while_the_api_hangs(edge: Edge) -> None:
    """Fails open within the example's timeouts: the API takes connections and never answers."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", edge.api_port))
        sock.listen()
        answer = edge.ask("blocked")
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() < 2.0


def test_everybody_is_served_while_the_api_is_stale(edge: Edge) -> None:
    """Fails open: the API answers and knows verdicts, but lost the log for too long; and denies
    again by itself when the log is back."""
    log = BreakableLog(make_log())
    with api_case(log=log, port=edge.api_port) as case:
        case.give(verdict("block", scope_id="blocked", account="blocked"))
        assert edge.ask("blocked").status_code == 403
        log.broken = True
        until(lambda: case.service.verdict_follower.error is not None)
        assert edge.ask("blocked").status_code == 403
        case.clock.forward(case.service.settings.stale_after_s + 1.0)
        assert edge.ask("blocked").status_code == 200
        log.broken = False
        until(lambda: case.service.verdict_follower.staleness_s() < 1.0)
        assert edge.ask("blocked").status_code == 403


def test_everybody_is_served_when_the_gateways_own_key_is_not_good(
    edge: Edge, tmp_path: Path
) -> None:
    """A key that was taken away, or of the wrong role, is the operator's trouble alone."""
    _, secrets = ring()
    with api_case(port=edge.api_port) as case:
        case.give(verdict("block", scope_id="blocked", account="blocked"))
        for number, key in enumerate(("sw_0bad_" + "x" * 32, secrets["viewer"])):
            folder = tmp_path / str(number)
            folder.mkdir()
            ports = {"api_port": edge.api_port, "model_port": edge.model.port}
            with nginx(folder, key=key, **ports) as url:
                other = Edge(url, edge.model, edge.api_port)
                assert other.ask("blocked").status_code == 200
