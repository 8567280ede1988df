"""Asking the server, in the application's own transaction, what that transaction has made of the catalogue.

Rule 1  It is sent when no reply is outstanding, and nothing of the client goes on before it is answered.
Rule 2  It is a Parse with a Flush behind it, never a Sync, which would end an implicit transaction. Its
        statement and portal have a name of their own: the client's unnamed ones stay as they are. They are
        closed before, too: an error has the server skip the Close that is behind it.
Rule 3  The client sees nothing of it but an error, which is then the error of its statement.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from policy.catalog import Catalog, Column, Dependent, Relation
from proxy.session.inquiry_sql import INQUIRY
from proxy.session.replies import Kind, Reply
from proxy.wire import frames
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import frame
from proxy.wire.frontend import Bind, Close, Execute, Parse

_NAME = b"pgveil.inquiry"
_JSON = 114  # oid of type json
_CLOSES = 4
_NOT_NAMED = ("pg_temp_", "pg_toast")  # schemas that no search_path names


@dataclass(frozen=True)
class Answer:
    """What differs from the committed catalogue, or may: relations as they are now.

    `touched` are the oids of all that the transaction has changed: what is not in `relations` is gone.
    `changed`: whether it has changed any; `temporary` and `functions`: the names, of those asked for, that
    temporary tables and functions have.
    """

    touched: frozenset[int]
    relations: Mapping[int, Relation]
    schemas: frozenset[str]
    changed: bool = True
    temporary: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()

    def differs(self, catalog: Catalog) -> bool:
        """Whether the transaction sees another catalogue than this one."""
        gone = not self.touched.isdisjoint(catalog.relations)
        return gone or bool(self.relations) or self.schemas != catalog.schemas

    def over(self, catalog: Catalog, functions: Iterable[str]) -> Catalog:
        """A catalogue as the transaction sees it; `functions` are those that may now change search_path."""
        relations = {oid: kept for oid, kept in catalog.relations.items() if oid not in self.touched}
        return replace(
            catalog,
            relations={**relations, **self.relations},
            schemas=self.schemas,
            path_changers=catalog.path_changers | frozenset(functions),
        )


class Inquiry(Reply):
    """The expected reply to an inquiry. `of_query`: the statement that waits is a simple query."""

    __slots__ = ("_closed", "_value", "names", "of_query")

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(Kind.INQUIRY)
        self.names = tuple(sorted(names))
        self.of_query = False
        self._value = b""
        self._closed = 0

    def request(self) -> bytes:
        """What goes to the server. All of it is ASCII, whatever the client's encoding is."""
        messages = (
            *self._closes(),  # what an error has left there
            Parse(_NAME, INQUIRY.encode(), (_JSON,)),
            Bind(_NAME, _NAME, (), (json.dumps(self.names).encode(),), ()),
            Execute(_NAME, 0),
            *self._closes(),
        )
        return b"".join(message.pack() for message in messages) + frame(frames.FLUSH)

    @staticmethod
    def _closes() -> tuple[Close, Close]:
        return Close(b"P", _NAME), Close(b"S", _NAME)

    def row(self, body: bytes) -> None:
        """The body of the one DataRow: one column."""
        self._value = body[6:]

    def closed(self) -> bool:
        """A CloseComplete has come; whether it was the last message."""
        self._closed += 1
        return self._closed == _CLOSES

    def answer(self) -> Answer:
        """What the server said. Raises ProtocolError where it cannot be read."""
        try:
            return _answer(json.loads(base64.b64decode(self._value)))
        except (ValueError, TypeError, KeyError) as error:
            raise ProtocolError("an answer that cannot be read") from error


def _answer(said: Mapping[str, Any]) -> Answer:
    path: tuple[str, ...] | None = tuple(said["path"] or ())
    if path and "pg_catalog" in path[1:]:
        # pg_get_viewdef() itself looks up the definition by whatever operator comes first in the path
        path = None
    relations = [_relation(path, *row) for row in said["relations"] or ()]
    return Answer(
        frozenset(said["touched"] or ()),
        {relation.oid: relation for relation in relations},
        frozenset(name for name in said["schemas"] if not name.startswith(_NOT_NAMED)),
        said["changed"],
        frozenset(said["temporary"] or ()),
        frozenset(said["functions"] or ()),
    )


def _relation(
    path: tuple[str, ...] | None,
    oid: int,
    schema: str,
    name: str,
    kind: str,
    definition: str | None,
    parents: list[int],
    used: list[int],
    keys: list[int] | None,
    columns: list[list[Any]] | None,
) -> Relation:
    made = tuple(Column(*column) for column in columns or ())
    names = tuple(column.name for column in made if column.number in {*used, *(keys or ())})
    return Relation(
        oid=oid,
        schema=schema,
        name=name,
        kind=kind,
        columns=made,
        definition=definition if path is not None else None,
        parents=tuple(parents),
        dependents=(Dependent("partition key", "", names),) if keys is not None else (),
        definition_path=path or (),
    )
