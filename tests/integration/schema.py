"""One small schema for the tests of whole sessions, and its policy: every type and both modes."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE public.users (
  id bigserial PRIMARY KEY,
  email text UNIQUE,
  ssn text,
  age bytea,
  born bytea,
  balance bytea,
  doc jsonb,
  photo bytea,
  nick varchar(400),
  note text
);
CREATE TABLE public.orders (id bigserial PRIMARY KEY, user_id bigint, buyer text, total numeric, note text);
CREATE TABLE public.plain (id bigserial PRIMARY KEY, name text, value int, at timestamptz DEFAULT now());
CREATE VIEW public.contacts AS SELECT id, email AS mail, note FROM public.users;
"""

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
