"""A pure snapshot of one database's catalogue: relations, columns, view definitions, search paths.

Source: PostgreSQL documentation, chapter 52 (system catalogs). `proxy/introspect.py` fills it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})
BUILT_IN_SEARCH_PATH = '"$user", public'


@dataclass(frozen=True, slots=True)
class Column:
    """One row of pg_attribute. `modifier` is atttypmod (-1: none); `number` is attnum."""

    name: str
    number: int
    type_oid: int
    type_name: str
    modifier: int = -1
    not_null: bool = False
    has_default: bool = False
    generated: bool = False
    identity: bool = False
    default: str | None = None  # the expression's text; read for protected relations only


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something the server itself evaluates over a relation's columns: an index, a constraint, a trigger ...

    `kind` is one of "primary key", "unique index", "index", "exclusion constraint", "foreign key",
    "check constraint", "generated column", "partition key", "row security policy", "trigger", "rule".
    `columns` are those it depends on, none where it sees whole rows; `keys` are the key columns of an index.
    """

    kind: str
    name: str
    columns: tuple[str, ...]
    keys: tuple[str, ...] = ()
    definition: str = ""
    references: int = 0  # oid of the relation that a foreign key refers to
    referenced: tuple[str, ...] = ()  # and its columns, in the order of `columns`
    oid: int = 0  # of an index,
    numbers: tuple[int, ...] = ()  # and the attributes that its own stand for, in order; 0: an expression


@dataclass(frozen=True, slots=True)
class Relation:
    """One row of pg_class. `kind` is relkind: r table, p partitioned, v view, f foreign ...

    `columns` stand in the order of attnum, dropped ones left out. `parents` come from pg_inherits, for
    partitions and for inheritance alike. `dependents` are read for protected relations only.
    `definition_path` is the search_path under which a view's definition has the names that stand in it.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[Column, ...]
    definition: str | None = None
    unique_indexes: tuple[tuple[str, ...], ...] = ()
    parents: tuple[int, ...] = ()
    dependents: tuple[Dependent, ...] = ()
    definition_path: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        for column in self.columns:
            if column.name == name:
                return column
        return None

    @property
    def system(self) -> bool:
        """Whether it belongs to the server itself: such a relation never holds a protected column."""
        return self.schema in SYSTEM_SCHEMAS


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input parameter of a function; `attributes`: those of its composite type, or of an array of one."""

    name: str
    attributes: tuple[str, ...] = ()
    array: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """One function. `returns`: oid of the relation whose rows it gives, or 0; `columns`: of its result."""

    schema: str
    name: str
    parameters: tuple[Parameter, ...]
    returns: int = 0
    array: bool = False  # of such rows
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """One database as it was at one moment. Temporary relations are not in it.

    `role_settings` holds the search_path that pg_db_role_setting has for (role, database), "" being every.
    `functions`: the names, without schema, of all functions, the server's own included (None: not known);
    `path_changers`: of those that may change search_path.
    `trigger_code`: the bodies of trigger functions in SQL and PL/pgSQL, by name.
    `signatures`, by name without schema: of the functions that the policy names, and those that give rows.
    `type_views`: the definitions, by oid, of the server's own views that show types of columns, and that read
    nothing but what everybody may.
    """

    database: str
    server_version: int
    relations: Mapping[int, Relation]
    schemas: frozenset[str]
    role_settings: Mapping[tuple[str, str], str] = field(default_factory=dict)
    default_search_path: str = BUILT_IN_SEARCH_PATH
    generation: int = 0
    functions: frozenset[str] | None = None
    path_changers: frozenset[str] = frozenset()
    signatures: Mapping[str, tuple[Signature, ...]] = field(default_factory=dict)
    trigger_code: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    type_views: Mapping[int, str] = field(default_factory=dict)

    def lookup(self, schema: str, name: str) -> Relation | None:
        return self._by_name.get((schema, name))

    def find(self, name: str, search_path: Sequence[str]) -> Relation | None:
        """What an unqualified name means. pg_catalog comes first unless the path names it."""
        if "pg_catalog" not in search_path and (relation := self._by_name.get(("pg_catalog", name))):
            return relation
        for schema in search_path:
            if (relation := self._by_name.get((schema, name))) is not None:
                return relation
        return None

    def named(self, name: str) -> tuple[Relation, ...]:
        """The relations of a name, in any schema."""
        return self._by_bare_name.get(name, ())

    def search_path(self, role: str) -> str:
        """The search_path, as a setting, that a session of `role` starts with if it asks for no other.

        Precedence: PostgreSQL documentation, ALTER ROLE, and `process_settings` in postinit.c.
        """
        for key in ((role, self.database), (role, ""), ("", self.database), ("", "")):
            if (setting := self.role_settings.get(key)) is not None:
                return setting
        return self.default_search_path

    def ancestors(self, relation: Relation) -> Iterator[Relation]:
        """Its parents, their parents and so on, each once, nearest first."""
        seen: set[int] = set()
        waiting = list(relation.parents)
        while waiting:
            oid = waiting.pop(0)
            if oid in seen or (parent := self.relations.get(oid)) is None:
                continue
            seen.add(oid)
            waiting.extend(parent.parents)
            yield parent

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], Relation]:
        return {(relation.schema, relation.name): relation for relation in self.relations.values()}

    @cached_property
    def _by_bare_name(self) -> Mapping[str, tuple[Relation, ...]]:
        found: dict[str, list[Relation]] = {}
        for relation in self.relations.values():
            found.setdefault(relation.name, []).append(relation)
        return {name: tuple(relations) for name, relations in found.items()}
