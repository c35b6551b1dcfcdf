"""The API on a socket: in the foreground, or on a thread beside something else."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import uvicorn

from detector.api.app import create_app
from detector.api.service import Service
from detector.errors import DetectorError

BACKLOG: Final = 2048
GRACE_S: Final = 5
"""How long open answers, such as live feeds, may last after the stop."""
JOIN_S: Final = 10.0


class CannotListen(DetectorError):
    """The address cannot be listened on."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host, self.port = host, port
        super().__init__(
            f"cannot listen on {host}:{port} ({reason}); choose another with --host and --port"
        )


@dataclass(frozen=True, slots=True)
class Serving:
    """A running API."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotListen."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # The protocol is named, or asyncio sets no TCP_NODELAY on what is accepted, and an answer
        # in two writes (head, body) waits 40 ms for the reader's delayed acknowledgement.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise CannotListen(host, port, error.strerror or str(error)) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotListen(host, port, error.strerror or str(error)) from error
    return sock


def serve(service: Service, sock: socket.socket) -> None:
    """Serves until SIGINT or SIGTERM; for the main thread."""
    _server(service).run(sockets=[sock])


@contextlib.contextmanager
def serve_in_thread(service: Service, host: str = "127.0.0.1", port: int = 0) -> Iterator[Serving]:
    """Serves on a thread while the block runs. Raises CannotListen."""
    with contextlib.closing(listen(host, port)) as sock:
        server = _server(service)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [sock]}, name="api", daemon=True
        )
        thread.start()
        while thread.is_alive() and not server.started:
            thread.join(0.005)
        if not server.started:
            raise CannotListen(host, port, "the server stopped while it started")
        try:
            yield Serving(host, sock.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(GRACE_S + JOIN_S)


class _Server(uvicorn.Server):
    """Ends live feeds when it begins to stop: uvicorn waits for open answers first.

    A signal is a wish to stop, and done with once it has: uvicorn would raise it again, which kills
    the process before the store and the log are closed.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may have handlers
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.end_streams()
        await super().shutdown(sockets)


def _server(service: Service) -> uvicorn.Server:
    return _Server(
        uvicorn.Config(
            create_app(service),
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_level="warning",
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
        ),
        service,
    )
