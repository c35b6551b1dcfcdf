"""Connecting to a Kafka cluster: what every client of kafka-python is told."""

from __future__ import annotations

import ssl
import time
from typing import Any

from streams.kafka_greeting import greet
from streams.kafka_oauth import token_provider
from streams.kafka_secrets import hide_wire, secret
from streams.kafka_settings import KafkaSettings
from streams.kafka_tls import tls_context
from streams.log import LogError, Unreachable

_RETRY_S = 0.2
_DEFAULT_PORT = 9092


def connect_options(
    settings: KafkaSettings, client_id: str, connect_timeout_s: float
) -> dict[str, Any]:
    """Options for a client, once one of the brokers answers and lets us in.

    Raises Unreachable when none does within `connect_timeout_s`, and LogError at once when login,
    certificate or kind of listener are not as the settings say: kafka-python would leave its thread
    and sockets behind when it gives up.
    """
    hide_wire()
    addresses = [part.strip() for part in settings.bootstrap.split(",") if part.strip()]
    context = tls_context(settings) if settings.tls else None
    sasl = _sasl_options(settings) if settings.sasl else {}
    _await_any(addresses, context, sasl, connect_timeout_s)
    return {
        "bootstrap_servers": addresses,
        "client_id": client_id,
        "bootstrap_timeout_ms": int(max(connect_timeout_s, 1.0) * 1000.0),
        "security_protocol": settings.security_protocol,
        **({} if context is None else {"ssl_context": context}),
        **sasl,
    }


def _sasl_options(settings: KafkaSettings) -> dict[str, Any]:
    options: dict[str, Any] = {"sasl_mechanism": settings.sasl_mechanism}
    if settings.sasl_mechanism == "OAUTHBEARER":
        # What brokers are called is no reason to send a secret to another host.
        strict = settings.model_copy(update={"tls_check_hostname": True})
        options["sasl_oauth_token_provider"] = token_provider(settings, tls_context(strict))
    else:
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = secret(
            "sasl_password", settings.sasl_password, settings.sasl_password_file
        )
    return options


def _await_any(
    addresses: list[str], context: ssl.SSLContext | None, sasl: dict[str, Any], timeout_s: float
) -> None:
    deadline_s = time.monotonic() + timeout_s
    reason = "none is named"
    while True:
        for address in addresses:
            host, port = _split(address)
            left_s = max(deadline_s - time.monotonic(), _RETRY_S)
            try:
                greet(host, port, context, sasl, left_s)
                return
            except OSError as error:
                reason = error.strerror or str(error)
        if not addresses or time.monotonic() + _RETRY_S >= deadline_s:
            raise Unreachable(
                f"Kafka at {','.join(addresses) or 'no address'} does not answer ({reason}); start "
                "the broker, or correct the setting kafka.bootstrap (STILLWATCH_KAFKA=host:port)"
            )
        time.sleep(_RETRY_S)


def _split(address: str) -> tuple[str, int]:
    """Host and port of "host:port", "[v6]:port" or "host". Raises LogError for another shape."""
    host, colon, port = address.rpartition(":")
    if not colon or host.endswith(":") or address.endswith("]"):
        return address.strip("[]"), _DEFAULT_PORT
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise LogError(
            f"{address!r} in the setting kafka.bootstrap is not host:port; correct it "
            "(STILLWATCH_KAFKA=host:port)"
        )
    return host.strip("[]"), int(port)
