"""A small world in memory for sessions without a server: catalogue, policy, keys."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from crypto.keyring import FieldKey, Keyring
from crypto.keyset import KeyState
from policy.binding import bind
from policy.catalog import Catalog, Column, Relation
from policy.loader import load
from proxy.session.session import Session
from proxy.session.state import SessionContext
from proxy.sql.planner import Planner

NAME, PHONE, CITY = b"name", b"phone", b"city"
_PEOPLE = (("id", 23, "int4"), ("name", 25, "text"), ("phone", 25, "text"), ("city", 25, "text"))
_OIDS = {"people": 20_001, "people_plain": 20_002}


class World:
    """The tables of people, as `bench/database.py` makes them, bound to a policy."""

    def __init__(self, policy: str) -> None:
        columns = tuple(Column(name, i, oid, kind) for i, (name, oid, kind) in enumerate(_PEOPLE, start=1))
        relations = {oid: Relation(oid, "public", name, "r", columns) for name, oid in _OIDS.items()}
        catalog = Catalog("bench", 180_000, relations, frozenset({"public"}))
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "policy.yaml")
            path.write_text(policy)
            binding = bind(load(path), catalog)
        fields = {str(f.field): f.field for by_number in binding.fields.values() for f in by_number.values()}
        self._keys = {
            name: FieldKey(
                os.urandom(4),
                field.key_name,
                field.algorithm,
                1,
                KeyState.ACTIVE,
                os.urandom(64 if field.algorithm == "aes-siv" else 32),
            )
            for name, field in fields.items()
        }
        self._keyring = Keyring(self._keys.values())
        self._planner = Planner(binding)

    def session(self) -> Session:
        """A new session of a role without settings."""
        return Session(SessionContext(lambda: self._planner, lambda: self._keyring, "postgres"))

    def oid(self, table: str) -> int:
        return _OIDS[table]

    def seal(self, column: str, value: bytes) -> bytes:
        """What a text column of `people` stores."""
        return self._keys[f"public.people.{column}"].ascii_sealer("text")(value)
