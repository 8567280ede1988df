"""SQLAlchemy's ORM over psycopg, psycopg2 and asyncpg: models that know nothing of pgveil."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    mapped_column,
    relationship,
    selectinload,
)

from tests.integration.schema import SCHEMA
from tests.proxy_process import CANARY_NUMBER, Veil


class Base(DeclarativeBase):
    """The application's models."""


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    email: Mapped[str | None] = mapped_column(sa.Text, unique=True)
    ssn: Mapped[str | None] = mapped_column(sa.Text)
    age: Mapped[int | None]
    born: Mapped[dt.date | None]
    balance: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 2))
    doc: Mapped[Any] = mapped_column(JSONB(none_as_null=True))
    photo: Mapped[bytes | None]
    nick: Mapped[str | None] = mapped_column(sa.String(20))
    note: Mapped[str | None]
    orders: Mapped[list[Order]] = relationship(
        back_populates="user", primaryjoin="User.id == foreign(Order.user_id)"
    )


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    buyer: Mapped[str | None]
    total: Mapped[Decimal | None]
    user: Mapped[User | None] = relationship(
        back_populates="orders", primaryjoin="User.id == foreign(Order.user_id)"
    )


def _user(i: int) -> User:
    return User(
        email=f"kanarie-{i}",
        ssn=f"kanarie ssn {i}",
        age=CANARY_NUMBER if i == 0 else i,
        born=dt.date(1973, 3, 31),
        balance=Decimal("12.50"),
        doc={"kanarie": i},
        photo=b"kanarie",
        nick="kanarie",
        orders=[Order(buyer=f"kanarie-{i}", total=Decimal(i)), Order(buyer="kanarie-0", total=Decimal(1))],
    )


def _write(session: Session) -> None:
    session.add_all([_user(i) for i in range(5)])
    session.flush()
    session.execute(sa.insert(User), [{"email": f"kanarie bulk {i}", "age": -i} for i in range(40)])
    upsert = insert(User).values(
        [{"email": "kanarie-1", "ssn": "kanarie up"}, {"email": "kanarie-9", "ssn": None}]
    )
    done = session.scalars(
        upsert.on_conflict_do_update(
            index_elements=[User.email], set_={"ssn": upsert.excluded.ssn}
        ).returning(User.email)
    )
    assert sorted(str(email) for email in done) == ["kanarie-1", "kanarie-9"]
    session.commit()


def _read(session: Session) -> None:
    one = session.scalars(sa.select(User).where(User.email == "kanarie-0")).one()
    assert (one.age, one.born, one.balance, one.doc) == (
        CANARY_NUMBER,
        dt.date(1973, 3, 31),
        Decimal("12.50"),
        {"kanarie": 0},
    )
    assert [order.buyer for order in one.orders] == ["kanarie-0", "kanarie-0"]
    joined = (
        sa.select(User.email, sa.func.count(Order.id))
        .join(Order, Order.buyer == User.email)
        .group_by(User.email)
    )
    counts = {row[0]: row[1] for row in session.execute(joined)}
    assert counts == {"kanarie-0": 6, **{f"kanarie-{i}": 1 for i in range(1, 5)}}
    wanted = sa.select(User.id).where(
        User.email.in_(["kanarie-1", "kanarie-2", None]), User.nick.is_not(None)
    )
    assert len(session.scalars(wanted).all()) == 2
    other = aliased(User)
    pairs = sa.select(User.id, other.id).join(other, sa.and_(User.nick == other.nick, User.id < other.id))
    assert len(session.execute(pairs).all()) == 10
    subquery = sa.select(Order.buyer).where(Order.total > 3).scalar_subquery()
    assert session.scalar(sa.select(User.ssn).where(User.email == subquery)) == "kanarie ssn 4"
    loaded = session.scalars(
        sa.select(User).options(selectinload(User.orders)).order_by(User.id).limit(2)
    ).all()
    assert [len(user.orders) for user in loaded] == [2, 2]
    common = sa.select(User.email.label("e"), User.ssn).where(User.age == 2).cte("c")
    assert session.execute(sa.select(common)).all() == [("kanarie-2", "kanarie ssn 2")]
    exists = sa.select(sa.exists().where(User.email == "kanarie-9"))
    assert session.scalar(exists) is True


def _change(session: Session) -> None:
    user = session.scalars(sa.select(User).where(User.email == "kanarie-3")).one()
    user.ssn, user.doc, user.photo = "kanarie changed", None, b""
    session.delete(session.scalars(sa.select(User).where(User.email == "kanarie-4")).one())
    session.commit()
    session.expire_all()
    assert (user.ssn, user.doc, user.photo) == ("kanarie changed", None, b"")
    done = session.execute(sa.update(User).where(User.email == "kanarie-3").values(nick="kanarie three"))
    assert done.rowcount == 1  # type: ignore[attr-defined]
    with pytest.raises(sa.exc.DBAPIError, match=r"public\.users\.email"):
        session.scalars(sa.select(User).where(User.email.like("kanarie%"))).all()
    session.rollback()
    with pytest.raises(sa.exc.DBAPIError):
        session.scalars(sa.select(User).order_by(User.ssn)).all()
    session.rollback()
    assert session.scalar(sa.select(User.nick).where(User.id == user.id)) == "kanarie"


def _all(session: Session) -> None:
    for step in (_write, _read, _change):
        step(session)


@pytest.fixture(params=["psycopg", "psycopg2"])
def engine(request: pytest.FixtureRequest, proxy: Veil) -> Iterator[sa.Engine]:
    engine = sa.create_engine(proxy.dsn().replace("postgresql:", f"postgresql+{request.param}:"))
    yield engine
    engine.dispose()


def test_an_application(engine: sa.Engine) -> None:
    """Relationships, sessions, joins, upserts, bulk inserts, CTEs, expressions that are refused."""
    with Session(engine) as session:
        _all(session)


async def test_an_asynchronous_application(proxy: Veil) -> None:
    """The same over asyncpg."""
    engine = create_async_engine(proxy.dsn().replace("postgresql:", "postgresql+asyncpg:"))
    async with AsyncSession(engine) as session:
        run: Callable[[Callable[[Session], None]], Any] = session.run_sync
        await run(_all)
    await engine.dispose()


def test_reflection(engine: sa.Engine) -> None:
    """The catalogue shows what is stored: names and keys are the application's, types the storage's."""
    inspector = sa.inspect(engine)
    assert set(inspector.get_table_names()) >= {"users", "orders", "plain"}
    assert [column["name"] for column in inspector.get_columns("users")][:3] == ["id", "email", "ssn"]
    assert inspector.get_pk_constraint("users")["constrained_columns"] == ["id"]
    assert "users" in SCHEMA
