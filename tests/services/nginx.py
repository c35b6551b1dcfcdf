"""The machine's real nginx, started with the example of deploy/nginx as it is shipped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.services.required import unavailable

CONF: Final = Path(__file__).parents[2] / "deploy" / "nginx" / "stillwatch.conf"
START_S: Final = 10.0

_MAIN: Final = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/stillwatch.conf;
}}
"""


def nginx_program() -> str:
    """Where nginx is. Skips the test where it is missing, fails it where services are required."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is not None:
        return found
    return unavailable("nginx", "install it (on Debian: apt-get install nginx-light)")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def with_addresses(conf: str, addresses: Mapping[str, str]) -> str:
    """The example with its addresses changed, each of which stands there once."""
    for old, new in addresses.items():
        assert conf.count(old) == 1, f"{old!r} must be in the example once"
        conf = conf.replace(old, new)
    return conf


@contextmanager
def nginx(folder: Path, *, api_port: int, model_port: int, key: str) -> Iterator[str]:
    """Runs nginx in front of a model; gives its URL. `key`: the gateway's key."""
    program = nginx_program()
    port = free_port()
    conf = with_addresses(
        CONF.read_text(encoding="utf-8"),
        {
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{api_port};",
            "server 127.0.0.1:9000;": f"server 127.0.0.1:{model_port};",
            "listen 8080;": f"listen 127.0.0.1:{port};",
        },
    )
    (folder / "stillwatch.conf").write_text(conf, encoding="utf-8")
    (folder / "stillwatch-key.conf").write_text(f'proxy_set_header X-Stillwatch-Key "{key}";\n')
    main = folder / "nginx.conf"
    # As root, workers would give up root and could not enter pytest's private folder.
    main.write_text(_MAIN.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""))
    with subprocess.Popen(
        [program, "-p", str(folder), "-c", str(main), "-e", str(folder / "error.log")]
    ) as process:
        try:
            _wait(process, port, folder / "error.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(START_S)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end_s = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            told = log.read_text() if log.exists() else ""
            assert process.poll() is None, f"nginx ended: {told}"
            assert time.monotonic() < end_s, f"nginx does not answer: {told}"
            time.sleep(0.01)
        else:
            return
