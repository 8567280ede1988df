"""The parts of a policy's document that are about functions and other code, to the model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from policy import names
from policy.document import MappingNode, Node, Problems, ScalarNode, SequenceNode, suggestion
from policy.model import Field, FunctionFields, Location
from policy.names import qualified

_BLOCK = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
Tables = Mapping[tuple[str, str], Mapping[str, Field]]


def read_trusted_functions(document: MappingNode, problems: Problems) -> frozenset[tuple[str, str]]:
    """The names under `trusted_functions`."""
    found = set()
    for written, location in _listed(document, "trusted_functions", "names", problems):
        if (name := _function_name(written, location, problems)) is not None:
            found.add(name)
    return frozenset(found)


def read_trusted_blocks(document: MappingNode, problems: Problems) -> frozenset[str]:
    """What stands under `trusted_blocks`, as 64 digits each."""
    found = set()
    for written, location in _listed(document, "trusted_blocks", "digests", problems):
        if (digest := _BLOCK.fullmatch(written)) is not None:
            found.add(digest[1])
        else:
            problems.add(location, "a trusted block is sha256: and 64 hexadecimal digits")
    return frozenset(found)


def _listed(document: MappingNode, key: str, what: str, problems: Problems) -> Iterator[tuple[str, Location]]:
    """The texts of a list, each with its place."""
    node = document.entries.get(key)
    if node is None:
        return
    if not isinstance(node, SequenceNode):
        problems.add(node.location, f"{key} must be a list of {what}")
        return
    for item in node.items:
        if (written := problems.text(item, f"an entry of {key}")) is not None:
            yield written, item.location


def _function_name(written: str, location: Location, problems: Problems) -> tuple[str, str] | None:
    """Schema ("" where none is written) and name."""
    parts = names.split(written)
    if parts is None or len(parts) > 2 or "(" in written:
        problems.add(location, f"cannot read the function name {written!r} (function, or schema.function)")
        return None
    return ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def read_functions(
    document: MappingNode, tables: Tables, problems: Problems
) -> Mapping[tuple[str, str], FunctionFields]:
    """What stands under `functions`, by schema (public where none is written) and name."""
    node = document.entries.get("functions")
    found: dict[tuple[str, str], FunctionFields] = {}
    mapping = problems.mapping(node, "functions") if node is not None else None
    for written, location, body in mapping or ():
        name = _function_name(written, location, problems)
        if name is None:
            continue
        name = (name[0] or "public", name[1])
        if name in found:
            problems.add(location, f"duplicate function {qualified(*name)}")
        elif (entries := problems.mapping(body, f"function {written!r}")) is not None:
            found[name] = _Function(tables, problems).read(name, location, entries)
    return MappingProxyType(found)


class _Function:
    """Reads one function."""

    def __init__(self, tables: Tables, problems: Problems) -> None:
        self._tables = tables
        self._problems = problems

    def read(self, name: tuple[str, str], location: Location, body: MappingNode) -> FunctionFields:
        problems = self._problems
        problems.unknown_keys(body, ("args", "returns"), f"function {qualified(*name)}")
        args, returns = body.entries.get("args"), body.entries.get("returns")
        if args is None and returns is None:
            problems.add(location, f"function {qualified(*name)} has neither args nor returns")
        return FunctionFields(
            *name, self._arguments(args) if args is not None else {}, self._result(returns), location
        )

    def _arguments(self, node: Node) -> Mapping[str, Field | Mapping[str, Field]]:
        """A mapping of parameters; or, shortly, the names of parameters that are called as their columns."""
        if isinstance(node, SequenceNode):
            found = {item.text: self._field(item) for item in node.items if isinstance(item, ScalarNode)}
            if len(found) != len(node.items):
                self._problems.add(node.location, "args must be a list of names, or a mapping")
            return _known(found)
        if isinstance(node, ScalarNode):
            return _known({node.text: self._field(node)})
        given: dict[str, Field | Mapping[str, Field] | None] = {}
        for parameter, _, body in node:
            given[parameter] = self._fields(body) if isinstance(body, MappingNode) else self._field(body)
        return MappingProxyType({key: value for key, value in given.items() if value is not None})

    def _result(self, node: Node | None) -> Field | Mapping[str, Field] | None:
        if node is None:
            return None
        return self._fields(node) if isinstance(node, MappingNode) else self._field(node)

    def _fields(self, node: MappingNode) -> Mapping[str, Field]:
        return _known({name: self._field(body) for name, _, body in node})

    def _field(self, node: Node) -> Field | None:
        """A field by column, table.column or schema.table.column."""
        written = self._problems.text(node, "a field")
        if written is None:
            return None
        parts = names.split(written) or ()
        if len(parts) == 1:
            return self._only(parts[0], node.location)
        table = ("public", parts[0]) if len(parts) == 2 else parts[:2]
        field = self._tables.get((table[0], table[1]), {}).get(parts[-1]) if len(parts) in (2, 3) else None
        if field is None:
            known = [str(field) for fields in self._tables.values() for field in fields.values()]
            known += [name.removeprefix("public.") for name in known]
            hint = suggestion(written, known)
            self._problems.add(node.location, f"the policy has no field {written!r}{hint}")
        return field

    def _only(self, column: str, location: Location) -> Field | None:
        """The one field whose column has this name."""
        found = [fields[column] for fields in self._tables.values() if column in fields]
        if len(found) == 1:
            return found[0]
        reason = "no column has this name" if not found else f"{found[0]} and {found[1]} have this name"
        self._problems.add(location, f"which field is {column!r}? ({reason}; write table.column)")
        return None


def _known(fields: Mapping[str, Field | None]) -> Mapping[str, Field]:
    return MappingProxyType({name: field for name, field in fields.items() if field is not None})
