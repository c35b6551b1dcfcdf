"""Alembic runs this file: the migrations, on the connection that `upgrade` hands down."""

from __future__ import annotations

from alembic import context

from detector.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
