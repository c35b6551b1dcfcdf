"""How to reach a Kafka cluster."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class KafkaSettings(BaseModel):
    """Settings of the link to Kafka.

    Attributes:
        bootstrap: host:port of one broker or several, separated by commas.
        session_timeout_s: a member silent for longer loses its partitions.
        heartbeat_s: how often a member says that it lives and hears of a rebalance; at most a third
            of session_timeout_s.
        transaction_timeout_s: the broker aborts a transaction that is open for longer.
        max_poll_interval_s: a member that does not poll for longer loses its partitions.
        compression: of what Stillwatch writes.
        max_record_bytes: largest record that is read or written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bootstrap: str = "127.0.0.1:9092"
    session_timeout_s: float = Field(default=45.0, gt=0)
    heartbeat_s: float = Field(default=3.0, gt=0)
    transaction_timeout_s: float = Field(default=60.0, gt=0)
    max_poll_interval_s: float = Field(default=300.0, gt=0)
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    max_record_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
