"""A small OpenID token endpoint over HTTPS: client credentials in, a bearer token out."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

CLIENT = "stillwatch"


class TokenServer:
    """Runs in a thread while it is entered. `url` is the endpoint, `asked` counts requests.

    Beside it, at /moved, is one that sends the client there.
    """

    def __init__(self, folder: Path, token: Callable[[], str], secret: str) -> None:
        """`folder` holds broker.pem and broker.key; `secret` is the one client's."""
        self.asked = 0
        wanted = f"{CLIENT}:{urllib.parse.quote(secret)}"
        basic = f"Basic {base64.b64encode(wanted.encode()).decode()}"
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = urllib.parse.parse_qs(self.rfile.read(length).decode())
                server.asked += 1
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", server.url)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                good = (
                    self.headers["Authorization"] == basic
                    and form.get("grant_type") == ["client_credentials"]
                    and form.get("scope") == ["kafka"]
                )
                answer = {"access_token": token(), "expires_in": 300} if good else {"error": "no"}
                body = json.dumps(answer).encode()
                self.send_response(200 if good else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                server.asked += 1
                self.send_error(405)

            def log_message(self, *_: object) -> None:
                """Nothing: the test's output is not for it."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "broker.pem", folder / "broker.key")
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self.url = f"https://127.0.0.1:{self._http.server_address[1]}/token"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
