"""A policy bound to a catalogue: which attribute of which relation holds which field.

Partitions and inheritance children hold rows of their parent, so they are protected as it is: a child's
column of the same name is the same field. Where that cannot be (only the child is named in the policy, or two
parents disagree), the column is bound with a problem, and nothing is written to it.

Fields of one id are names of one field: the old one and the new one of a column that is being renamed. Only
one of the columns may exist, unless one's table is a child of the other's: a partition may be named beside
its table, so that it is protected before it is attached, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policy import storage
from policy.catalog import Catalog, Column, Relation
from policy.model import Field, Policy
from policy.names import qualified
from policy.types import LogicalType

TABLE_KINDS = frozenset("rpf")  # ordinary, partitioned and foreign tables hold rows that can be protected

_NOTHING: Mapping[str, BoundField] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class BoundField:
    """A field and the column that holds it.

    `type` is what the application sees; `storage` is the catalogue name of the column's type.
    `problem` says in one sentence why values of it cannot be stored or compared now; None if they can.
    """

    field: Field
    type: LogicalType
    storage: str
    storage_oid: int
    relation_oid: int
    number: int
    problem: str | None = None


@dataclass(frozen=True)
class Binding:
    """`fields`: relation oid -> attribute number -> the field bound there."""

    catalog: Catalog
    policy: Policy
    fields: Mapping[int, Mapping[int, BoundField]]
    columns: Mapping[int, Mapping[str, BoundField]]  # the same by column name

    def of(self, relation: Relation) -> Mapping[str, BoundField]:
        """The protected columns of a relation by name; empty where there are none."""
        return self.columns.get(relation.oid, _NOTHING)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A field that wants a column, and why it cannot simply have it."""

    field: Field
    problem: str | None = None


def bind(policy: Policy, catalog: Catalog) -> Binding:
    """Find the columns of the policy's fields. Unknown names are left out: `check` reports them."""
    claims = _claimed_by_name(policy, catalog)
    if claims:
        _pass_down(claims, catalog)
        _pass_up(claims, catalog)
    columns = {
        oid: MappingProxyType(_bound_columns(catalog.relations[oid], wanted))
        for oid, wanted in claims.items()
    }
    numbers = {
        oid: MappingProxyType({bound.number: bound for bound in by_name.values()})
        for oid, by_name in columns.items()
        if by_name
    }
    return Binding(catalog, policy, MappingProxyType(numbers), MappingProxyType(columns))


_Claims = dict[int, dict[str, _Claim]]  # relation oid -> column name -> claim


def _claimed_by_name(policy: Policy, catalog: Catalog) -> _Claims:
    named: dict[int, dict[str, Field]] = {}
    owners: dict[str, Field] = {}  # by id: the column that is called so, or else the first
    for (schema, table), fields in policy.tables.items():
        relation = catalog.lookup(schema, table)
        if relation is None or relation.kind not in TABLE_KINDS:
            continue
        wanted = {
            n: field for n, field in fields.items() if not _is_parents(policy, catalog, relation, field)
        }
        named[relation.oid] = wanted
        for name, field in wanted.items():
            if relation.column(name) is not None and (field.id not in owners or field.id == str(field)):
                owners[field.id] = field
    return {
        oid: {name: _Claim(field, _second_owner(owners, field)) for name, field in wanted.items()}
        for oid, wanted in named.items()
    }


def _is_parents(policy: Policy, catalog: Catalog, relation: Relation, field: Field) -> bool:
    """Whether the column is a parent's that has the same id: it inherits the parent's claim."""
    for parent in catalog.ancestors(relation):
        named = policy.find(parent.schema, parent.name, field.column)
        if named is not None and named.id == field.id and parent.column(field.column) is not None:
            return True
    return False


def _second_owner(owners: Mapping[str, Field], field: Field) -> str | None:
    """The problem of a column whose field is held by another column already."""
    owner = owners.get(field.id, field)
    if owner is field:
        return None
    return (
        f"it has the id {field.id!r} of {owner}, and both columns exist: give it another id, "
        "or make its table a child of the other's"
    )


def _pass_down(claims: _Claims, catalog: Catalog) -> None:
    """Give each protected column of a parent to its children, and theirs."""
    children = _children(catalog)
    waiting = list(claims)
    while waiting:
        parent_oid = waiting.pop(0)
        for child in children.get(parent_oid, ()):
            own = claims.setdefault(child.oid, {})
            changed = [_inherit(own, name, claim, child) for name, claim in list(claims[parent_oid].items())]
            if any(changed):
                waiting.append(child.oid)


def _inherit(own: dict[str, _Claim], name: str, claim: _Claim, child: Relation) -> bool:
    """Merge one claim of a parent into its child's; whether the child's has changed."""
    if child.column(name) is None:
        return False
    present = own.get(name)
    if present is None:
        own[name] = claim
        return True
    if present.problem is not None or interchangeable(present.field, claim.field):
        return False
    own[name] = _Claim(
        claim.field,
        f"it belongs to two fields, {present.field} and, as a child table's column, {claim.field}: "
        "keep only the parent table in the policy",
    )
    return True


def interchangeable(one: Field, other: Field) -> bool:
    """Whether a value sealed as one field opens as the other."""
    return one.key_name == other.key_name and one.algorithm == other.algorithm and one.type == other.type


def _pass_up(claims: _Claims, catalog: Catalog) -> None:
    """Stop writes through a parent that the policy forgot: plaintext would reach the protected child."""
    for oid, wanted in list(claims.items()):
        child = catalog.relations[oid]
        for parent in catalog.ancestors(child):
            own = claims.setdefault(parent.oid, {})
            for name, claim in wanted.items():
                if name not in own and parent.column(name) is not None:
                    own[name] = _Claim(claim.field, _forgotten(parent, child))


def _forgotten(parent: Relation, child: Relation) -> str:
    return (
        f"the policy protects it in {qualified(child.schema, child.name)} but not in the parent table: "
        f"name {qualified(parent.schema, parent.name)} in the policy instead"
    )


def _children(catalog: Catalog) -> Mapping[int, list[Relation]]:
    children: dict[int, list[Relation]] = {}
    for relation in catalog.relations.values():
        for parent in relation.parents:
            children.setdefault(parent, []).append(relation)
    return children


def _bound_columns(relation: Relation, wanted: Mapping[str, _Claim]) -> dict[str, BoundField]:
    bound = {}
    for name, claim in wanted.items():
        if (column := relation.column(name)) is not None:
            bound[name] = _bound(relation, column, claim)
    return bound


def _bound(relation: Relation, column: Column, claim: _Claim) -> BoundField:
    field = claim.field
    logical = field.type or storage.logical_of(column) or LogicalType("text")
    problem = (
        claim.problem
        or storage.problem(column, logical, field.algorithm)
        or storage.mode_problem(field.mode, logical)
    )
    return BoundField(
        field=field,
        type=logical,
        storage=column.type_name,
        storage_oid=column.type_oid,
        relation_oid=relation.oid,
        number=column.number,
        problem=problem,
    )
