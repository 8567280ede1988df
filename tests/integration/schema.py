"""One small schema for the tests of whole sessions, its policy, and the same tables with no encryption.

SCHEMA and POLICY: every storage type and both modes. TWIN_SCHEMA: what the application believes that it has.
KINDS_SCHEMA, KINDS_POLICY, KINDS_TWIN: a table with a column of every supported type.
"""

from __future__ import annotations

_TEMPLATE = """
CREATE TABLE public.users (
  id bigserial PRIMARY KEY,
  email text UNIQUE,
  ssn text,
  age {age},
  born {born},
  balance {balance},
  doc jsonb,
  photo bytea,
  nick {nick},
  note text
);
CREATE TABLE public.orders (id bigserial PRIMARY KEY, user_id bigint, buyer text, total numeric, note text);
CREATE TABLE public.plain (id bigserial PRIMARY KEY, name text, value int, at timestamptz DEFAULT now());
CREATE VIEW public.contacts AS SELECT id, email AS mail, note FROM public.users;
"""
SCHEMA = _TEMPLATE.format(age="bytea", born="bytea", balance="bytea", nick="varchar(400)")
TWIN_SCHEMA = _TEMPLATE.format(age="int4", born="date", balance="numeric(12,2)", nick="varchar(20)")

POLICY = """
version: 1
classes:
  lookup: {sensitivity: high, mode: deterministic}
  secret: {sensitivity: high, mode: randomized}
  chacha: {sensitivity: high, mode: randomized, algorithm: chacha20-poly1305}
tables:
  users:
    email: {class: lookup, key: mail}
    ssn: secret
    age: {class: lookup, type: int4}
    born: {class: secret, type: date}
    balance: {class: lookup, type: "numeric(12,2)"}
    doc: secret
    photo: chacha
    nick: {class: lookup, type: varchar(20)}
  orders:
    buyer: {class: lookup, key: mail}
"""

# Column of `kinds` -> its logical type, the column's own type, and the class of POLICY.
KINDS = {
    "a_text": ("text", "text", "lookup"),
    "a_varchar": ("varchar(40)", "varchar(400)", "lookup"),
    "a_char": ("char(12)", "text", "lookup"),
    "a_bytea": ("bytea", "bytea", "lookup"),
    "a_bool": ("bool", "bytea", "lookup"),
    "an_int2": ("int2", "bytea", "lookup"),
    "an_int4": ("int4", "bytea", "secret"),
    "an_int8": ("int8", "bytea", "lookup"),
    "a_float4": ("float4", "bytea", "chacha"),
    "a_float8": ("float8", "bytea", "lookup"),
    "a_numeric": ("numeric", "bytea", "secret"),
    "a_price": ("numeric(12,2)", "bytea", "lookup"),
    "a_date": ("date", "bytea", "lookup"),
    "a_time": ("time", "bytea", "lookup"),
    "a_timestamp": ("timestamp", "bytea", "secret"),
    "a_timestamptz": ("timestamptz", "bytea", "lookup"),
    "an_interval": ("interval", "bytea", "secret"),
    "a_uuid": ("uuid", "bytea", "lookup"),
    "a_json": ("json", "json", "secret"),
    "a_jsonb": ("jsonb", "jsonb", "chacha"),
    "an_inet": ("inet", "bytea", "lookup"),
    "some_texts": ("text[]", "bytea", "secret"),
    "some_ints": ("int4[]", "bytea", "secret"),
    "some_dates": ("date[]", "bytea", "chacha"),
}


def _kinds(position: int) -> str:
    columns = ", ".join(f"{name} {types[position]}" for name, types in KINDS.items())
    return f"CREATE TABLE public.kinds (id bigserial PRIMARY KEY, {columns});"


KINDS_SCHEMA = _kinds(1)
KINDS_TWIN = _kinds(0)
KINDS_POLICY = (
    POLICY
    + "  kinds:\n"
    + "".join(
        f'    {name}: {{class: {kind}, type: "{logical}"}}\n' for name, (logical, _, kind) in KINDS.items()
    )
)
