"""A shop's tables, as SQLAlchemy's models. Nothing here knows of pgveil."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """The shop's metadata; keys and indexes are named in one way."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Customer(Base):
    __tablename__ = "customers"
    __table_args__ = (sa.Index("ix_customers_name_city", "name", "city"),)

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(120), unique=True)
    name: Mapped[str | None] = mapped_column(sa.String(60), index=True)
    notes: Mapped[str | None] = mapped_column(sa.Text)
    born: Mapped[dt.date | None]
    seen: Mapped[dt.datetime | None] = mapped_column(sa.DateTime(timezone=True))
    opens: Mapped[dt.time | None]
    limit: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 2))
    number: Mapped[int | None]
    rate: Mapped[float | None] = mapped_column(sa.Double)
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    token: Mapped[uuid.UUID | None] = mapped_column(default=uuid.uuid4)
    document: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    photo: Mapped[bytes | None]
    wait: Mapped[dt.timedelta | None] = mapped_column(sa.Interval)
    address: Mapped[Any] = mapped_column(INET, nullable=True)
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(sa.Text))
    rank: Mapped[str] = mapped_column(sa.String(20), server_default="kanarie new")
    city: Mapped[str | None] = mapped_column(sa.String(40))
    made: Mapped[dt.datetime] = mapped_column(server_default=sa.func.now())
    orders: Mapped[list[Order]] = relationship(back_populates="customer", cascade="all, delete-orphan")

    @hybrid_property
    def mail(self) -> str:
        return self.email


class Order(Base):
    __tablename__ = "purchases"

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    customer_email: Mapped[str] = mapped_column(
        sa.String(120), sa.ForeignKey("customers.email", onupdate="CASCADE")
    )
    item: Mapped[str] = mapped_column(sa.Text)
    price: Mapped[Decimal] = mapped_column(sa.Numeric(10, 2))
    customer: Mapped[Customer] = relationship(back_populates="orders")
