"""The first words with a broker: does its listener speak as the settings say, and let us in?

kafka-python tries such things again until a timeout and then tells only of that. So a plain
connection is made first, over Kafka's own protocol (ApiVersions, SaslHandshake, SaslAuthenticate).
"""

from __future__ import annotations

import socket
import ssl
import struct
from typing import Any

from kafka.net.sasl import get_sasl_mechanism

from streams.kafka_tls import tls_problem
from streams.log import LogError

_API_VERSIONS, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = 18, 17, 36
_UNSUPPORTED_MECHANISM = 33
_MOST_BYTES = 1024 * 1024


def greet(
    host: str,
    port: int,
    context: ssl.SSLContext | None,
    sasl: dict[str, Any],
    timeout_s: float,
) -> None:
    """Connects and, with `sasl` (kafka-python's options), logs in; then hangs up.

    Raises OSError where nobody answers, LogError with what to change where the broker says no.
    """
    address = f"{host}:{port}"
    with socket.create_connection((host, port), timeout_s) as plain:
        try:
            link = plain if context is None else context.wrap_socket(plain, server_hostname=host)
            try:
                _ask(link, address, _API_VERSIONS, 0, b"", first=True)
                if sasl:
                    _log_in(link, host, address, sasl)
                else:
                    _no_login(link, address)
            finally:
                link.close()
        except OSError as error:
            trouble = tls_problem(error, address)
            if trouble is None:
                raise
            raise trouble from error


def _no_login(link: socket.socket, address: str) -> None:
    """Raises LogError where the listener waits for a login: only then it answers a handshake."""
    try:
        answer = _ask(link, address, _SASL_HANDSHAKE, 1, _short("PLAIN"))
    except ConnectionResetError:
        return  # a broker that does not even know the request
    (error,) = struct.unpack_from(">h", answer)
    if error in (0, _UNSUPPORTED_MECHANISM):
        raise LogError(
            f"{address} expects a login ({', '.join(_strings(answer[2:]))}); set "
            "kafka.sasl_mechanism and kafka.security_protocol, or use another listener's port"
        )


def _log_in(link: socket.socket, host: str, address: str, sasl: dict[str, Any]) -> None:
    name = str(sasl["sasl_mechanism"])
    answer = _ask(link, address, _SASL_HANDSHAKE, 1, _short(name))
    (error,) = struct.unpack_from(">h", answer)
    if error == _UNSUPPORTED_MECHANISM:
        raise LogError(
            f"{address} does not take sasl_mechanism {name}, only {', '.join(_strings(answer[2:]))}"
            "; correct the setting kafka.sasl_mechanism"
        )
    if error:
        raise LogError(
            f"{address} expects no login on this listener (error {error}); set "
            "kafka.security_protocol to SSL or PLAINTEXT, or use the port of a SASL listener"
        )
    mechanism = get_sasl_mechanism(name)(host=host, **sasl)
    while not mechanism.is_done():
        token = mechanism.auth_bytes()
        body = struct.pack(">i", len(token)) + token
        answer = _ask(link, address, _SASL_AUTHENTICATE, 0, body)
        error, length = struct.unpack_from(">hh", answer)
        at = 4 + max(length, 0)
        if error:
            raise LogError(
                f"{address} refuses the login by {name}"
                f" ({answer[4:at].decode('utf-8', 'replace')}); {_remedy(name)}"
            )
        (size,) = struct.unpack_from(">i", answer, at)
        try:
            mechanism.receive(answer[at + 4 : at + 4 + max(size, 0)])
        except ValueError as refused:  # SCRAM: the broker cannot prove that it knows the password
            raise LogError(
                f"{address} does not know the password of {name}; {_remedy(name)}"
            ) from refused


def _remedy(mechanism: str) -> str:
    if mechanism == "OAUTHBEARER":
        return "check that the token of kafka.oauth_token_file (or _url) is fresh and meant for it"
    return "correct kafka.sasl_username and kafka.sasl_password (or kafka.sasl_password_file)"


def _ask(
    link: socket.socket, address: str, key: int, version: int, body: bytes, *, first: bool = False
) -> bytes:
    """The body of the answer to one request (Kafka protocol: request header v1, response v0)."""
    header = struct.pack(">hhih", key, version, 0, -1)
    link.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
    start = _take(link, 4)
    # To a request in the clear a TLS server answers with an alert record (type 21, version 3.x),
    # or, like Kafka, by hanging up.
    plain = not isinstance(link, ssl.SSLSocket)
    if first and plain and (not start or start[:2] == b"\x15\x03"):
        raise LogError(
            f"{address} closes a connection without TLS; set kafka.security_protocol to SSL or "
            "SASL_SSL, or use the port of a plain listener"
        )
    if len(start) < 4:
        raise ConnectionResetError(None, "it closes the connection")
    (size,) = struct.unpack(">i", start)
    if not 4 <= size <= _MOST_BYTES:
        raise LogError(f"{address} is no Kafka broker; correct the setting kafka.bootstrap")
    answer = _take(link, size)
    if len(answer) < size:
        raise ConnectionResetError(None, "it closes the connection")
    return answer[4:]


def _take(link: socket.socket, size: int) -> bytes:
    """`size` bytes, fewer where the broker hangs up."""
    taken = b""
    while len(taken) < size and (more := link.recv(size - len(taken))):
        taken += more
    return taken


def _short(text: str) -> bytes:
    """A string as the protocol writes it."""
    return struct.pack(">h", len(text)) + text.encode()


def _strings(body: bytes) -> list[str]:
    (count,) = struct.unpack_from(">i", body)
    found, at = [], 4
    for _ in range(count):
        (length,) = struct.unpack_from(">h", body, at)
        found.append(body[at + 2 : at + 2 + length].decode("utf-8", "replace"))
        at += 2 + length
    return found
