"""Alembic's environment, as `alembic init` writes it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from tests.integration.applications.shop.models import Base

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
