"""Connecting to a Kafka cluster: what every client of kafka-python is told."""

from __future__ import annotations

import socket
import time
from typing import Any

from streams.kafka_settings import KafkaSettings
from streams.log import LogError

_RETRY_S = 0.2
_DEFAULT_PORT = 9092


def connect_options(
    settings: KafkaSettings, client_id: str, connect_timeout_s: float
) -> dict[str, Any]:
    """Options for a client, once one of the brokers accepts a connection.

    Raises LogError when none does within `connect_timeout_s`: kafka-python would leave its thread
    and sockets behind when it gives up.
    """
    addresses = [part.strip() for part in settings.bootstrap.split(",") if part.strip()]
    _await_any(addresses, connect_timeout_s)
    return {
        "bootstrap_servers": addresses,
        "client_id": client_id,
        "bootstrap_timeout_ms": int(max(connect_timeout_s, 1.0) * 1000.0),
    }


def _await_any(addresses: list[str], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    reason = "none is named"
    while True:
        for address in addresses:
            host, port = _split(address)
            left_s = max(deadline_s - time.monotonic(), _RETRY_S)
            try:
                socket.create_connection((host, port), left_s).close()
                return
            except OSError as error:
                reason = error.strerror or str(error)
        if not addresses or time.monotonic() + _RETRY_S >= deadline_s:
            raise LogError(
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
