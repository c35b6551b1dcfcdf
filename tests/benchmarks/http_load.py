"""Load on an HTTP server: a few connections that ask again as soon as they are answered."""

from __future__ import annotations

import select
import socket
from dataclasses import dataclass
from time import perf_counter

import numpy as np


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: answers a second, and the 99th percentile of the time to an answer."""

    per_s: float
    p99_s: float


def load(
    port: int, requests: list[bytes], expected: bytes, *, connections: int, for_s: float
) -> Load:
    """Asks in turn for `requests`, each a whole HTTP request whose answer has no body.

    `expected` begins every answer. Raises RuntimeError for another.
    """
    poller = select.epoll() if hasattr(select, "epoll") else None
    socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    by_number = {sock.fileno(): sock for sock in socks}
    began: dict[int, float] = {}
    took: list[float] = []
    at = 0
    for number, sock in by_number.items():
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if poller is not None:
            poller.register(number, select.EPOLLIN)
        began[number] = perf_counter()
        sock.sendall(requests[at % len(requests)])
        at += 1
    start_s = now_s = perf_counter()
    while now_s - start_s < for_s:
        if poller is not None:
            ready = [number for number, _ in poller.poll(5.0)]
        else:
            ready = [sock.fileno() for sock in select.select(socks, [], [], 5.0)[0]]
        for number in ready:
            sock = by_number[number]
            answer = sock.recv(65_536)
            now_s = perf_counter()
            if not (answer.startswith(expected) and answer.endswith(b"\r\n\r\n")):
                raise RuntimeError(f"an unexpected answer: {answer[:200]!r}")
            took.append(now_s - began[number])
            began[number] = now_s
            sock.sendall(requests[at % len(requests)])
            at += 1
    for sock in socks:
        sock.close()
    if poller is not None:
        poller.close()
    return Load(len(took) / (now_s - start_s), float(np.percentile(took, 99)))
