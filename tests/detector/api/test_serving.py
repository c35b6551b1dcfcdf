"""The API on a socket."""

from __future__ import annotations

import socket
import time

import pytest

from detector.api.serving import CannotListen, listen, serve_in_thread
from tests.detector.api.api_case import api_case, verdict


def test_answers_in_two_writes_do_not_wait_for_acknowledgements() -> None:
    """Median of 15 denials with bodies on one connection: far below the 40 ms of a delayed ACK."""
    with api_case() as case:
        case.give(verdict("block"))
        headers = {**case.auth("gateway"), "X-Stillwatch-Account": "acme"}
        took_s = []
        for _ in range(15):
            start_s = time.perf_counter()
            assert case.client.get("/v1/decision", headers=headers).status_code == 403
            took_s.append(time.perf_counter() - start_s)
    assert sorted(took_s)[7] < 0.030


def test_a_taken_address_is_an_error_in_words() -> None:
    """In the thread's case too, raised where it is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken, api_case() as case:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=str(port)):
            listen("127.0.0.1", port)
        with pytest.raises(CannotListen, match="--port"), serve_in_thread(case.service, port=port):
            pass


def test_stopping_ends_followers_and_frees_the_port() -> None:
    """After the block nobody follows, and the same port can be taken again."""
    with api_case() as case:
        port = int(case.url.rpartition(":")[2])
        service = case.service
    assert not service.verdict_follower.running
    assert not service.alert_follower.running
    listen("127.0.0.1", port).close()
