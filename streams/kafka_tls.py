"""TLS towards Kafka: the context of every connection, and what went wrong in words."""

from __future__ import annotations

import ssl

from streams.kafka_settings import KafkaSettings
from streams.log import LogError

_REFUSED_US = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNKNOWN_CA", "CERTIFICATE_UNKNOWN",
               "CERTIFICATE_EXPIRED", "HANDSHAKE_FAILURE")  # fmt: skip
"""Alerts of a broker that does not take the client's certificate (RFC 8446, section 6.2)."""

_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF")
"""What a server that speaks something else makes of a handshake; Kafka hangs up."""


def tls_context(settings: KafkaSettings) -> ssl.SSLContext:
    """TLS 1.2 or later, with the authorities and the client certificate of the settings.

    Raises LogError naming the file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = settings.tls_check_hostname
    try:
        if settings.tls_ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(settings.tls_ca)
    except OSError as error:  # SSLError is one
        raise LogError(
            f"{settings.tls_ca} holds no PEM certificates ({_why(error)}); correct the setting "
            "kafka.tls_ca"
        ) from error
    if settings.tls_cert is not None:
        password = settings.tls_key_password
        try:
            # Without a password an encrypted key would ask for one on the terminal.
            context.load_cert_chain(
                settings.tls_cert,
                settings.tls_key,
                "" if password is None else password.get_secret_value(),
            )
        except OSError as error:
            raise LogError(
                f"{settings.tls_cert} with {settings.tls_key} cannot be used ({_why(error)}); "
                "correct the settings kafka.tls_cert, kafka.tls_key and kafka.tls_key_password"
            ) from error
    return context


def tls_problem(error: OSError, address: str) -> LogError | None:
    """What a failed handshake or first read means; None when it is not about TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if "mismatch" in error.verify_message or "not valid for" in error.verify_message:
            return LogError(
                f"the certificate of {address} is for another host ({error.verify_message}); use "
                "the name it holds in kafka.bootstrap, or have a certificate made for this one"
            )
        return LogError(
            f"the certificate of {address} is not trusted ({error.verify_message}); put the "
            "authority that signed it into the file of kafka.tls_ca"
        )
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or ""
    if any(name in reason for name in _REFUSED_US):
        return LogError(
            f"{address} does not take this client's certificate ({reason}); set kafka.tls_cert "
            "and kafka.tls_key to one that the brokers' authority signed"
        )
    if any(name in reason for name in _NO_TLS):
        return LogError(
            f"{address} does not speak TLS; set kafka.security_protocol to PLAINTEXT or "
            "SASL_PLAINTEXT, or use the port of an encrypted listener"
        )
    return LogError(f"TLS with {address} failed ({reason or error}); compare both sides' settings")


def _why(error: OSError) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or str(error)
