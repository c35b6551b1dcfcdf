"""How to reach a Kafka cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class KafkaSettings(BaseModel):
    """Settings of the link to Kafka.

    Secrets come from the environment (STILLWATCH_KAFKA__SASL_PASSWORD) or from a file that is read
    whenever a client connects, so that one renewed in place needs no restart.

    Attributes:
        bootstrap: host:port of one broker or several, separated by commas.
        session_timeout_s: a member silent for longer loses its partitions.
        heartbeat_s: how often a member says that it lives and hears of a rebalance; at most a third
            of session_timeout_s.
        transaction_timeout_s: the broker aborts a transaction that is open for longer; so long can
            a worker that died keep its partitions from the others, unless one of its name starts.
        max_poll_interval_s: a member that does not poll for longer loses its partitions.
        compression: of what Stillwatch writes.
        max_record_bytes: largest record that is read or written.
        poll_bytes: a poll stops once it holds so much: bounds the memory of a batch of large
            records.
        static_members: members keep their partitions over a restart shorter than
            session_timeout_s; each then needs a name of its own that stays the same
            (`stillwatch worker --member`).
        start_limit_s: how long a worker that starts waits for Kafka before it gives up.
        security_protocol: as the brokers' listener: SSL and SASL_SSL are encrypted.
        sasl_mechanism: how a client says who it is on a SASL listener.
        sasl_username: for PLAIN and SCRAM.
        sasl_password, sasl_password_file: its password, or the file that holds it.
        oauth_token_file: file with the bearer token, kept fresh by somebody else; or
        oauth_token_url: the token endpoint of an OpenID provider (client credentials grant), with
        oauth_client_id, and
        oauth_client_secret, oauth_client_secret_file: the secret, or the file that holds it;
        oauth_scope: asked for with the token.
        tls_ca: PEM file of the authorities that brokers' (and the token endpoint's) certificates
            are checked against; None: the system's.
        tls_cert, tls_key: PEM files of the client's own certificate (mTLS).
        tls_key_password: of tls_key, if it is encrypted.
        tls_check_hostname: a broker's certificate must name the host that was connected to.
    """

    # An error must not show what was given: it may be a secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    bootstrap: str = "127.0.0.1:9092"
    session_timeout_s: float = Field(default=45.0, gt=0)
    heartbeat_s: float = Field(default=3.0, gt=0)
    transaction_timeout_s: float = Field(default=30.0, gt=0)
    max_poll_interval_s: float = Field(default=300.0, gt=0)
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    max_record_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    poll_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    static_members: bool = False
    start_limit_s: float = Field(default=60.0, ge=0)

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = None
    oauth_token_file: Path | None = None
    oauth_token_url: str | None = None
    oauth_client_id: str | None = None
    oauth_client_secret: SecretStr | None = None
    oauth_client_secret_file: Path | None = None
    oauth_scope: str | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_key_password: SecretStr | None = None
    tls_check_hostname: bool = True

    @property
    def tls(self) -> bool:
        """Whether the link is encrypted."""
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def sasl(self) -> bool:
        """Whether a client logs in."""
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    @model_validator(mode="after")
    def _together(self) -> Self:
        """What must be given together. The messages never hold a value: one may be a secret."""
        if self.sasl != (self.sasl_mechanism is not None):
            raise ValueError(
                "sasl_mechanism goes with security_protocol SASL_SSL (or SASL_PLAINTEXT), "
                "and each needs the other"
            )
        if self.sasl_mechanism == "OAUTHBEARER":
            self._oauth_together()
        elif self.sasl_mechanism is not None:
            if not self.sasl_username:
                raise ValueError(f"sasl_mechanism {self.sasl_mechanism} needs sasl_username")
            _one_of("sasl_password", self.sasl_password, self.sasl_password_file)
        if not self.tls and (self.tls_cert or self.tls_key):
            raise ValueError("tls_cert and tls_key need security_protocol SSL or SASL_SSL")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key are needed together")
        return self

    def _oauth_together(self) -> None:
        if (self.oauth_token_file is None) == (self.oauth_token_url is None):
            raise ValueError(
                "sasl_mechanism OAUTHBEARER needs either oauth_token_file or oauth_token_url"
            )
        if self.oauth_token_url is None:
            return
        if not self.oauth_token_url.startswith("https://"):
            raise ValueError("oauth_token_url must begin with https://: a secret is sent there")
        if not self.oauth_client_id:
            raise ValueError("oauth_token_url needs oauth_client_id")
        _one_of("oauth_client_secret", self.oauth_client_secret, self.oauth_client_secret_file)


def _one_of(name: str, given: SecretStr | None, file: Path | None) -> None:
    if (given is None) == (file is None):
        raise ValueError(f"either {name} or {name}_file is needed, and not both")
