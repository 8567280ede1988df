"""The schema that the SQL fixtures are about, built by hand: every mode, storage and kind of relation.

Protected: `users`, `orders`, `events` (partitioned; `events_old` is to be one of its partitions, `events_odd`
cannot be), `legacy` (plaintext still there), `archive.users`,
`Weird Table`. Not protected: `plain`, `audit.users`, `public.people` beside the view `staff.people`.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

from policy.binding import Binding, bind
from policy.catalog import Relation
from policy.loader import load
from tests.policy.samples import catalog_of, column, table

POLICY = """\
version: 1
classes:
  lookup: {mode: deterministic}
  secret: {mode: randomized}
  chacha: {mode: randomized, algorithm: chacha20-poly1305}
tables:
  users:
    email: {class: lookup, key: mail}
    ssn: secret
    age: {class: lookup, type: int4}
    born: {class: secret, type: date}
    balance: {class: lookup, type: "numeric(12,2)"}
    active: {class: lookup, type: bool}
    doc: secret
    photo: chacha
    nick: {class: lookup, type: varchar(20)}
    tags: {class: lookup, type: "text[]"}
  orders:
    buyer: {class: lookup, key: mail}
    seller: {class: lookup, key: mail}
  events:
    actor: {class: lookup, key: mail}
    payload: secret
  legacy:
    old_text: {class: lookup, plaintext: allow}
    old_date: {class: secret, type: date, plaintext: allow}
    bad_date: {class: secret, type: date}
  events_old:
    actor: {class: lookup, key: mail, id: public.events.actor}
    payload: {class: secret, id: public.events.payload}
  events_odd:
    actor: {class: lookup, key: mail}
    payload: secret
  archive.users:
    email: secret
  Weird Table:
    E Mail: lookup
  accounts:
    login: lookup
    pin: secret
    later: secret
  planned:
    token: secret
    number: {class: secret, type: int4}
    at: {class: secret, type: timestamptz}
    price: {class: lookup, type: "numeric(12,2)"}
    label: {class: lookup, type: varchar}
"""

TRUSTED_BLOCK = "BEGIN EXECUTE 'UPDATE ' || 'users SET email = NULL WHERE id = 0'; END"
POLICY += f"""\
trusted_functions: [trusted, audit.also_trusted]
trusted_blocks: ["sha256:{hashlib.sha256(TRUSTED_BLOCK.encode()).hexdigest()}"]
"""
USERS = {
    "id": "int8",
    "email": "text",
    "ssn": "text",
    "age": "bytea",
    "born": "bytea",
    "balance": "bytea",
    "active": "bytea",
    "doc": "jsonb",
    "photo": "bytea",
    "nick": "varchar(400)",
    "tags": "bytea",
    "note": "text",
}


def view(oid: int, name: str, columns: dict[str, str], definition: str, kind: str = "v") -> Relation:
    """A view as the catalogue holds it: pg_get_viewdef's text, with every name in full."""
    return replace(table(oid, name, columns, kind=kind), definition=definition)


def _accounts() -> Relation:
    """Columns with defaults: plaintext, NULL, ciphertext made through pgveil."""
    return replace(
        table(40, "accounts", {}),
        columns=(
            column("id", 1, "int8", identity=True),
            column("login", 2, "text", has_default=True, default="'guest'::text"),
            column("pin", 3, "text", has_default=True, default="NULL::text"),
            column("made", 4, "timestamptz", has_default=True, default="now()"),
            column("label", 5, "text", generated=True, default="(id)::text"),
        ),
    )


def _relations() -> list[Relation]:
    return [
        table(1, "users", USERS),
        table(
            2, "orders", {"id": "int8", "buyer": "text", "seller": "text", "total": "numeric", "note": "text"}
        ),
        table(3, "plain", {"id": "int8", "name": "text", "value": "int4", "data": "jsonb"}),
        table(4, "events", {"id": "int8", "actor": "text", "payload": "text"}, kind="p"),
        table(5, "events_2026", {"id": "int8", "actor": "text", "payload": "text"}, parents=(4,)),
        table(6, "legacy", {"id": "int8", "old_text": "text", "old_date": "date", "bad_date": "date"}),
        table(7, "archive.users", {"id": "int8", "email": "text", "ssn": "text"}),
        table(8, "audit.users", {"id": "int8", "email": "text", "at": "timestamptz"}),
        table(9, "Weird Table", {"id": "int8", "E Mail": "text", 'a"b': "text"}),
        table(10, "people", {"id": "int8", "name": "text"}),
        table(11, "events_old", {"id": "int8", "actor": "text", "payload": "text"}),
        table(12, "events_odd", {"id": "int8", "actor": "text", "payload": "text"}),
        view(
            20,
            "contacts",
            {"id": "int8", "mail": "text", "note": "text"},
            "SELECT id, email AS mail, note FROM public.users",
        ),
        view(
            21,
            "loud",
            {"id": "int8", "shout": "text"},
            "SELECT id, upper(email) AS shout FROM public.users",
        ),
        view(22, "inner_contacts", {"mail": "text"}, "SELECT mail FROM public.contacts"),
        view(
            23,
            "orders_of_users",
            {"email": "text", "ssn": "text", "n": "int8"},
            "SELECT u.email, u.ssn, count(o.id) AS n FROM public.users u"
            " LEFT JOIN public.orders o ON ((o.buyer = u.email)) GROUP BY u.id",
        ),
        view(24, "frozen", {"id": "int8", "email": "text"}, "SELECT id, email FROM public.users", "m"),
        view(25, "staff.people", {"id": "int8", "name": "text"}, "SELECT id, email FROM public.users"),
        view(26, "names", {"name": "text"}, "SELECT name FROM public.plain"),
        view(27, "going", {"id": "int8", "went": "text"}, "SELECT id, public.go() AS went FROM public.plain"),
        view(28, "gone", {"went": "text"}, "SELECT went FROM public.going"),
        _accounts(),
    ]


@functools.cache
def world() -> Binding:
    """The policy bound to the schema."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "policy.yaml"
        path.write_text(POLICY)
        policy = load(path)
    return bind(policy, replace(catalog_of(*_relations()), path_changers=frozenset({"go", "p_go"})))
