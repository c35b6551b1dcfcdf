"""The tables of the alert feed. A change here needs a migration in `migrations/versions`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Root of the tables."""


class AlertRow(Base):
    """One revision of an alert: where it stands on the alerts topic, what is filtered on, its JSON.

    Attributes:
        log_partition, log_offset: of the record on the alerts topic.
        verdict_rank: place on the ladder (allow = 0) of the verdict in force, or of the one
            proposed where that is harder.
        peak_rank: the highest `verdict_rank` of the alert up to this revision.
        revised_ms: UTC epoch milliseconds.
        superseded_partition, superseded_offset: where the next revision stands; null in the latest.
        body: the alert's JSON as it stood on the topic.

    NUL, which PostgreSQL cannot store, is written as in `stored_text`.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        UniqueConstraint("alert_id", "revision", "tenant", name="alerts_once"),
        Index("alerts_by_tenant", "tenant", "revised_ms", "alert_id", "revision"),
        Index("alerts_by_time", "revised_ms", "alert_id", "revision"),
        Index("alerts_by_account", "account", "revised_ms"),
    )

    log_partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    log_offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(Text)
    alert_id: Mapped[str] = mapped_column(String(64))
    revision: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(64))
    severity: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(64))
    verdict_rank: Mapped[int] = mapped_column(SmallInteger)
    peak_rank: Mapped[int] = mapped_column(SmallInteger)
    scope: Mapped[str] = mapped_column(String(64))
    scope_id: Mapped[str] = mapped_column(Text)
    account: Mapped[str] = mapped_column(Text)
    reason_code: Mapped[str] = mapped_column(Text)
    main_group: Mapped[str] = mapped_column(Text)
    revised_ms: Mapped[int] = mapped_column(BigInteger)
    superseded_partition: Mapped[int | None] = mapped_column(Integer)
    superseded_offset: Mapped[int | None] = mapped_column(BigInteger)
    body: Mapped[str] = mapped_column(Text)


class PositionRow(Base):
    """How far a partition of the alerts topic was taken in, and what was left out of it.

    Attributes:
        next_offset: offset of the first record not taken in yet.
        bad_records: records that are no alert; the last one's offset and reason stand beside.
        repeated: revisions that were there already, from another record.
    """

    __tablename__ = "alert_positions"

    log_partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    next_offset: Mapped[int] = mapped_column(BigInteger)
    bad_records: Mapped[int] = mapped_column(BigInteger)
    repeated: Mapped[int] = mapped_column(BigInteger)
    last_bad_offset: Mapped[int | None] = mapped_column(BigInteger)
    last_bad_reason: Mapped[str | None] = mapped_column(Text)


def stored_text(text: str) -> str:
    """`text` without NUL, which PostgreSQL cannot store; different texts stay different."""
    return text.replace("\\", "\\\\").replace("\0", "\\0")
