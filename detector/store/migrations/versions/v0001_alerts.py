"""Alerts by their place on the topic, and how far each partition was taken in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "alerts",
        sa.Column("log_partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("log_offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("severity", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("verdict_rank", sa.SmallInteger, nullable=False),
        sa.Column("peak_rank", sa.SmallInteger, nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("scope_id", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("reason_code", sa.Text, nullable=False),
        sa.Column("main_group", sa.Text, nullable=False),
        sa.Column("revised_ms", sa.BigInteger, nullable=False),
        sa.Column("superseded_partition", sa.Integer),
        sa.Column("superseded_offset", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("alert_id", "revision", "tenant", name="alerts_once"),
    )
    op.create_index("alerts_by_tenant", "alerts", ["tenant", "revised_ms", "alert_id", "revision"])
    op.create_index("alerts_by_time", "alerts", ["revised_ms", "alert_id", "revision"])
    op.create_index("alerts_by_account", "alerts", ["account", "revised_ms"])
    op.create_table(
        "alert_positions",
        sa.Column("log_partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("bad_records", sa.BigInteger, nullable=False),
        sa.Column("repeated", sa.BigInteger, nullable=False),
        sa.Column("last_bad_offset", sa.BigInteger),
        sa.Column("last_bad_reason", sa.Text),
    )


def downgrade() -> None:
    """Removes them; the topic fills them again."""
    op.drop_table("alert_positions")
    op.drop_table("alerts")
