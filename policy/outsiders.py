"""What uses protected tables without being part of them, for `pgveil check`: functions and publications."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policy.binding import Binding
from policy.check import Finding
from policy.hazards import WARNING
from policy.model import Field
from policy.names import qualified
from policy.notes import NOTE
from policy.server_code import mentions


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the server; `tables`: oids of relations that a body of parsed SQL depends on."""

    schema: str
    name: str
    body: str
    tables: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """One table of a publication; `columns` None: all; `row_filter` as the server prints it."""

    name: str
    schema: str
    table: str
    columns: tuple[str, ...] | None = None
    row_filter: str | None = None


def outsiders(
    binding: Binding, functions: Iterable[Function], publications: Iterable[Publication]
) -> list[Finding]:
    """The findings, in the order of the policy's tables."""
    functions, publications = list(functions), list(publications)
    found: list[Finding] = []
    for (schema, table), fields in binding.policy.tables.items():
        relation = binding.catalog.lookup(schema, table)
        if relation is None or not fields:
            continue
        location = next(iter(fields.values())).location
        subject = qualified(schema, table)
        of_table = [f for f in functions if relation.oid in f.tables or mentions(f.body, [table])]
        hazards = [_function(binding, function, fields) for function in of_table]
        hazards += _publications(publications, schema, table, fields)
        found += [Finding(severity, location, f"{subject}: {message}") for severity, message in hazards]
    return found


def _function(binding: Binding, function: Function, fields: Mapping[str, Field]) -> tuple[str, str]:
    name = qualified(function.schema, function.name)
    columns = [column for column in fields if mentions(function.body, [column])]
    what = f" and uses {', '.join(columns)}" if columns else ""
    trusted = binding.policy.trusted_functions
    if {("", function.name), (function.schema, function.name)} & trusted:
        return NOTE, f"the trusted function {name} names it{what}: it sees ciphertext"
    stored = "it sees ciphertext, and what it writes itself is stored as it is"
    return WARNING, f"the function {name} names it{what}: {stored}"


def _publications(
    publications: Iterable[Publication], schema: str, table: str, fields: Mapping[str, Field]
) -> Iterator[tuple[str, str]]:
    for item in publications:
        sent = [name for name in fields if item.columns is None or name in item.columns]
        if (item.schema, item.table) != (schema, table):
            continue
        if item.row_filter is not None and mentions(item.row_filter, fields):
            yield WARNING, f"the row filter of publication {item.name} compares ciphertext"
        if sent:
            yield NOTE, f"the publication {item.name} sends {', '.join(sent)} to subscribers, as ciphertext"
