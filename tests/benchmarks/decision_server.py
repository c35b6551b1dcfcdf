"""`python -m tests.benchmarks.decision_server bare|decision`: prints its port and serves.

Both in the server set-up of `stillwatch api`: uvicorn with httptools, the same options.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from detector.api.serving import listen, serve
from detector.api.wiring import build_service
from detector.key_ring import KeyRing, new_key
from detector.output_records import TOPICS, output_records
from detector.outputs import Outputs
from detector.settings import Settings
from detector.store.alert_store import AlertStore
from detector.verdict_change import VerdictChange, Versions
from streams.memory_log import MemoryLog

ACCOUNTS: Final = 20_000
KEY, ENTRY = new_key("gateway", "default", id_bits=bytes(6), secret_bits="0" * 32)


def requests(path: str) -> list[bytes]:
    """What a gateway asks; one account in fifty has a verdict."""
    return [
        f"GET {path} HTTP/1.1\r\nhost: stillwatch\r\nx-stillwatch-key: {KEY}\r\n"
        f"x-stillwatch-account: acct_{number * 7:07d}\r\nauthorization: Bearer sk-{number:040d}\r\n"
        "user-agent: nginx\r\naccept: */*\r\n\r\n".encode()
        for number in range(1000)
    ]


def main(which: str) -> None:
    """Serves until it is told to stop."""
    with contextlib.closing(listen("127.0.0.1", 0)) as sock:
        print(sock.getsockname()[1], flush=True)
        if which == "bare":
            uvicorn.Server(
                uvicorn.Config(
                    Starlette(routes=[Route("/bare", _bare)]),
                    http="httptools",
                    ws="none",
                    access_log=False,
                    log_level="warning",
                    log_config=None,
                    server_header=False,
                    proxy_headers=False,
                )
            ).run(sockets=[sock])
            return
        log = MemoryLog()
        for topic in TOPICS:
            log.create_topic(topic)
        log.producer().send(output_records(Outputs(verdicts=[*map(_verdict, range(ACCOUNTS))])))
        with contextlib.closing(AlertStore("sqlite://")) as alerts:
            service = build_service(
                Settings(),
                log,
                KeyRing([ENTRY]),
                now_s=time.time,  # noqa: TID251 - as `stillwatch api` does
                monotonic_s=time.monotonic,
                alerts=alerts,
            )
            serve(service, sock)


async def _bare(_request: Request) -> Response:
    return Response(status_code=204)


def _verdict(number: int) -> VerdictChange:
    """A throttle on each fiftieth of a thousand asked for, and on many others."""
    asked = number < 20
    account = f"acct_{number * 350:07d}" if asked else f"other_{number}"
    now_s = time.time()  # noqa: TID251 - verdicts must be in force now
    return VerdictChange(
        tenant="default",
        scope="account",
        scope_id=account,
        account=account,
        organisation=None,
        kind="rose",
        from_level="allow",
        to_level="throttle",
        proposed_level=None,
        at_s=now_s,
        expires_at_s=now_s + 86_400.0,
        enforced=True,
        suppressed=False,
        reason_code="intent",
        main_group="intent",
        groups=("intent",),
        account_requests=40,
        versions=Versions("p", "m", "s"),
    )


if __name__ == "__main__":
    main(sys.argv[1])
