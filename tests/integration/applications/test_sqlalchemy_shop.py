"""SQLAlchemy: a shop that makes its tables and uses most of the ORM, over psycopg, psycopg2 and asyncpg."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests.integration.applications.policies import SHOP
from tests.integration.applications.shop.models import Base, Customer
from tests.integration.applications.shop.steps import all_steps, values
from tests.integration.applications.watch import watched
from tests.postgres import Database
from tests.proxy_process import Veil, Veils

WORDS = ("17331733.17", "6b616e61-7269", "17.33.173.17", "1733 days", "17:33:17", "1733.1733")


def url(veil: Veil, driver: str) -> str:
    return veil.dsn().replace("postgresql:", f"postgresql+{driver}:")


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_shop(database: Database, veil: Veils, driver: str) -> None:
    """Tables are made, used, reflected, and dropped."""
    proxy = veil(database, SHOP)
    engine = sa.create_engine(url(proxy, driver))
    database.at_end.callback(engine.dispose)
    with watched(proxy, WORDS):
        Base.metadata.create_all(engine)
        Base.metadata.create_all(engine)  # finds them
        with Session(engine) as session:
            all_steps(session)
        _two_phases(engine)
        _reflected(engine)
        Base.metadata.drop_all(engine)
    assert sa.inspect(engine).get_table_names() == []


async def test_an_asynchronous_shop(database: Database, veil: Veils) -> None:
    """The same over asyncpg."""
    proxy = veil(database, SHOP)
    engine = create_async_engine(url(proxy, "asyncpg"))
    with watched(proxy, WORDS):
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            await session.run_sync(all_steps)
            found: Any = await session.stream_scalars(sa.select(Customer.email).order_by(Customer.id))
            assert len([email async for email in found]) == 40
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)
    await engine.dispose()


def _two_phases(engine: sa.Engine) -> None:
    """PREPARE TRANSACTION and COMMIT PREPARED."""
    with Session(engine, twophase=True) as session:
        session.add(Customer(email="kanarie-twice", document={"kanarie": 2}))
        session.prepare()
        session.commit()
    with Session(engine) as session:
        statement = sa.select(Customer.document).where(Customer.email == "kanarie-twice")
        assert session.scalar(statement) == {"kanarie": 2}


def _reflected(engine: sa.Engine) -> None:
    """A table that was never declared: its types are those of the application, and its values are."""
    reflected = sa.Table("customers", sa.MetaData(), autoload_with=engine)
    for column in sa.inspect(Customer).local_table.columns:
        found = reflected.c[column.name].type.compile(engine.dialect)
        assert found == column.type.compile(engine.dialect), column
    with engine.connect() as connection:
        statement = sa.select(reflected).where(reflected.c.email == "kanarie-1")
        row = connection.execute(statement).mappings().one()
        assert (row["number"], row["limit"]) == (values(1)["number"], values(1)["limit"])
