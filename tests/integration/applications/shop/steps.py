"""What the shop does with a session, whatever its driver."""

from __future__ import annotations

import datetime as dt
import ipaddress
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload, subqueryload

from tests.integration.applications.shop.models import Customer, Order

NUMBER = 1733173317
SEEN = dt.datetime(1973, 3, 31, 17, 33, 17, tzinfo=dt.UTC)


def values(i: int) -> dict[str, Any]:
    """A customer with a value in every column."""
    return {
        "email": f"kanarie-{i}",
        "name": f"kanarie {i % 3}",
        "notes": "kanarie isn't \\ 100% ☃ :x %s\nwell",
        "born": dt.date(1973, 3, 31),
        "seen": SEEN,
        "opens": dt.time(17, 33, 17, 1733),
        "limit": Decimal("17331733.17"),
        "number": NUMBER + i,
        "rate": 1733.1733,
        "active": i % 2 == 0,
        "token": uuid.UUID(f"6b616e61-7269-4540-8000-17331733170{i % 16:x}"),
        "document": {"kanarie": [i, None, {"a": 1.5}]},
        "photo": b"kanarie\x00\xff'\\",
        "wait": dt.timedelta(days=1733, seconds=17, microseconds=33),
        "address": "17.33.173.17",
        "tags": ["kanarie", 'kan"arie, {}', ""],
        "rank": "kanarie old",
    }


def assert_same(customer: Customer, i: int) -> None:
    for name, value in values(i).items():
        found = getattr(customer, name)
        if name == "address":
            found = str(ipaddress.ip_interface(found).ip)
        assert found == value, (name, found)


def write(session: Session) -> None:
    """A unit of work, inserts of many values, upserts, defaults of the server."""
    first = Customer(**values(0), city="Rome", orders=[Order(item="kanarie hat", price=Decimal("1.50"))])
    session.add(first)
    session.flush()
    session.refresh(first)
    assert_same(first, 0)
    many = [Customer(**values(i), city="Oslo") for i in range(1, 8)]
    session.add_all(many)
    session.flush()  # one INSERT of many values, RETURNING in the order of the objects
    assert [customer.id for customer in many] == list(range(many[0].id, many[0].id + 7))
    plain = Customer(email="kanarie-plain", document=None)
    session.add(plain)
    session.flush()
    assert (plain.rank, plain.active, plain.tags) == ("kanarie new", True, None)
    rows = [{"email": f"kanarie-bulk-{i}", "number": i, "document": {}} for i in range(30)]
    statement = sa.insert(Customer).returning(Customer.email, sort_by_parameter_order=True)
    assert session.scalars(statement, rows).all() == [row["email"] for row in rows]
    upsert = insert(Customer).values([values(1) | {"notes": "kanarie up"}, values(9) | {"token": None}])
    upsert = upsert.on_conflict_do_update(
        index_elements=[Customer.email],
        set_={"notes": upsert.excluded.notes, "born": None},
        where=Customer.name == "kanarie 1",
    )
    assert set(session.scalars(upsert.returning(Customer.email))) == {"kanarie-1", "kanarie-9"}
    nothing = insert(Customer).values(values(1)).on_conflict_do_nothing().returning(Customer.id)
    assert session.scalars(nothing).all() == []
    session.add_all([Order(customer=first, item=f"kanarie {i}", price=Decimal(i)) for i in range(3)])
    session.commit()


def read(session: Session) -> None:
    """Loading of relations in each way, joins, subqueries, rows as they come."""
    one = session.scalars(sa.select(Customer).where(Customer.email == "kanarie-0")).one()
    assert_same(one, 0)
    for option in (selectinload, joinedload, subqueryload):
        found = session.scalars(
            sa.select(Customer).where(Customer.mail == "kanarie-0").options(option(Customer.orders)),
            execution_options={"populate_existing": True},
        ).unique()
        assert [len(customer.orders) for customer in found] == [4]
    eager = sa.select(Customer).join(Customer.orders).options(contains_eager(Customer.orders))
    assert len(session.scalars(eager.where(Order.item.is_not(None))).unique().all()) == 1
    assert session.scalar(sa.select(sa.func.count()).where(Customer.active)) == 35
    assert session.scalar(sa.select(sa.func.count()).where(~Customer.active)) == 5
    assert session.scalar(sa.select(sa.func.count()).where(Customer.active.is_(False))) == 5
    found = sa.select(Customer.number).where(
        Customer.number.in_([NUMBER, NUMBER + 1]), Customer.limit == Decimal("17331733.17")
    )
    assert sorted(session.scalars(found)) == [NUMBER, NUMBER + 1]
    by_type = sa.select(Customer.email).where(
        Customer.token == values(3)["token"], Customer.name == "kanarie 0", Customer.born.is_not(None)
    )
    assert session.scalars(by_type).all() == ["kanarie-3"]
    names = (
        sa.select(Customer.name, sa.func.count()).where(Customer.notes.is_not(None)).group_by(Customer.name)
    )
    assert {row[0]: row[1] for row in session.execute(names)} == {
        "kanarie 0": 4,
        "kanarie 1": 3,
        "kanarie 2": 2,
    }
    other = aliased(Customer)
    pairs = sa.select(Customer.id).join(other, sa.and_(Customer.name == other.name, Customer.id < other.id))
    assert len(session.scalars(pairs).all()) == 6 + 3 + 1
    buyers = sa.select(Order.customer_email).distinct().subquery()
    assert session.scalars(sa.select(Customer.email).where(Customer.email.in_(sa.select(buyers)))).all() == [
        "kanarie-0"
    ]
    common = sa.select(Customer.email, Customer.document).where(Customer.name == "kanarie 2").cte()
    assert {row.email: row.document["kanarie"][0] for row in session.execute(sa.select(common))} == {
        "kanarie-2": 2,
        "kanarie-5": 5,
    }
    shown = sa.case((Customer.active, Customer.name), else_="kanarie else")
    assert session.scalars(sa.select(shown).where(Customer.email == "kanarie-1")).one() == "kanarie else"
    both = sa.union(sa.select(Customer.name), sa.select(sa.literal("kanarie 0")))
    assert set(session.scalars(both)) == {"kanarie 0", "kanarie 1", "kanarie 2", None}
    assert session.get(Customer, one.id) is one


def stream(session: Session) -> None:
    """Many rows by a cursor of the server."""
    statement = sa.select(Customer.email).order_by(Customer.id).execution_options(yield_per=5)
    assert len([email for email in session.scalars(statement) if email.startswith("kanarie")]) == 40
    parts = session.scalars(statement).partitions()
    assert [len(part) for part in parts] == [5] * 8
    session.rollback()


def change(session: Session) -> None:
    """Updates of objects, of many rows, by key; locks; savepoints; deletes that cascade."""
    one = session.scalars(sa.select(Customer).where(Customer.email == "kanarie-3").with_for_update()).one()
    one.notes, one.document, one.photo, one.active = "kanarie changed", None, b"", True
    session.flush()
    twin = sa.insert(Customer).values(email="kanarie-0", document={})
    with pytest.raises(sa.exc.IntegrityError) as failed, session.begin_nested():
        session.execute(twin)
    assert "kanarie-0" not in str(failed.value.orig)
    session.refresh(one)
    assert (one.notes, one.document, one.photo, one.active) == ("kanarie changed", None, b"", True)
    rows = [{"id": one.id + i, "notes": f"kanarie by key {i}", "born": None} for i in range(3)]
    session.execute(sa.update(Customer), rows)
    session.refresh(one)
    assert (one.notes, one.born) == ("kanarie by key 0", None)
    done = sa.update(Customer).where(Customer.name == "kanarie 2").values(seen=None, tags=["kanarie"])
    assert set(session.scalars(done.returning(Customer.email))) == {"kanarie-2", "kanarie-5"}
    session.execute(sa.update(Customer).where(Customer.email == "kanarie-0").values(email="kanarie-zero"))
    assert set(session.scalars(sa.select(Order.customer_email))) == {"kanarie-zero"}  # ON UPDATE CASCADE
    session.expire_all()
    session.delete(session.scalars(sa.select(Customer).where(Customer.email == "kanarie-zero")).one())
    session.flush()
    assert session.scalar(sa.select(sa.func.count()).select_from(Order)) == 0
    gone = sa.delete(Customer).where(Customer.email == "kanarie-bulk-1")
    assert len(session.scalars(gone.returning(Customer.email)).all()) == 1
    session.rollback()


def refusals(session: Session) -> None:
    """What a server cannot do with ciphertext is an error that names the column."""
    for statement in (
        sa.select(Customer).where(Customer.email.ilike("kanarie%")),
        sa.select(Customer).where(Customer.number > NUMBER),
        sa.select(Customer).where(Customer.notes == "kanarie"),
        sa.select(Customer).where(Customer.document["kanarie"].astext == "x"),
        sa.select(Customer).where(Customer.tags.contains(["kanarie"])),
        sa.select(sa.func.lower(Customer.email)),
        sa.select(sa.func.max(Customer.born)),
        sa.select(sa.extract("year", Customer.born)),
        sa.select(Customer.id).order_by(Customer.name),
        sa.update(Customer).values(number=Customer.number + 1),
    ):
        with pytest.raises(sa.exc.DBAPIError, match=r"public\.customers\.\w+") as refused:
            session.execute(statement)
        assert "kanarie" not in str(refused.value.orig)
        session.rollback()
    assert session.scalar(sa.select(sa.func.count()).select_from(Customer)) == 40


STEPS: tuple[Callable[[Session], None], ...] = (write, read, stream, change, refusals)


def all_steps(session: Session) -> None:
    for step in STEPS:
        step(session)
