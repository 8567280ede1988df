"""Columns that are new, of another type, renamed; values for them."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "second"
down_revision = "first"


def upgrade() -> None:
    op.add_column("customers", sa.Column("joined", sa.Date(), nullable=True))
    op.alter_column("customers", "name", type_=sa.String(100), existing_type=sa.String(60))
    op.alter_column("customers", "notes", nullable=False, server_default="kanarie nothing")
    op.alter_column("customers", "rank", new_column_name="level")
    op.drop_index("ix_customers_name")
    op.create_unique_constraint("uq_customers_token", "customers", ["token"])
    customers = sa.table("customers", sa.column("joined", sa.Date), sa.column("email"))
    op.execute(customers.update().where(customers.c.email == "kanarie").values(joined=dt.date(1973, 3, 31)))


def downgrade() -> None:
    op.drop_constraint("uq_customers_token", "customers")
    op.create_index("ix_customers_name", "customers", ["name"])
    op.alter_column("customers", "level", new_column_name="rank")
    op.alter_column("customers", "notes", nullable=True, server_default=None)
    op.drop_column("customers", "joined")
