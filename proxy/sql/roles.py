"""The roles of open values: which field each is a value of, and what becomes of it.

Roles are collected while the statement is walked; the walk is repeated until no new role is found, so that an
open value that reaches a field through a derived table is known as protected wherever else it is used.

One ciphertext has to serve all that becomes of an occurrence. What is stored is not compared, unless the type
has but one form of a value; where a value is shown as well, the protector reads it in each way, and refuses
one that differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

from policy.binding import BoundField
from policy.conversions import STRINGS, assignable, comparable
from policy.types import LogicalType
from proxy.sql.plan import JsonRecords, Record, Role, Use
from proxy.sql.value import HINTS, CastSite, Open, Value, refuse, same_either_way, same_key


@dataclass(slots=True)
class RecordsRead:
    """A JSON document of records, and what reads it."""

    document: Open
    kind: str
    many: bool
    names: set[str] = dataclass_field(default_factory=set)
    columns: dict[int, str] = dataclass_field(default_factory=dict)  # offset of a definition -> its name
    fixed: dict[str, Role] = dataclass_field(default_factory=dict)  # roles of the columns of a table's row
    mixed: bool = False

    def fields(self, roles: Roles) -> frozenset[BoundField]:
        """The fields whose values its members are."""
        found = {roles.by_offset[offset].field for offset in self.columns if offset in roles.by_offset}
        return frozenset(found | {role.field for role in self.fixed.values()})

    def role(self, roles: Roles) -> Role:
        """The role of the document. Raises Refused where a member would be read in two ways."""
        members = dict(self.fixed)
        plain = set()
        for offset, name in self.columns.items():
            role = roles.by_offset.get(offset)
            if role is None:
                plain.add(name)
            elif members.setdefault(name, role) != role or role.array:
                refuse(role.field, "one JSON document read in two ways", HINTS["twice"])
        first = min(members.values(), key=lambda role: (role.field.relation_oid, role.field.number))
        if self.mixed or plain & members.keys():
            refuse(first.field, "one JSON document read in two ways", HINTS["twice"])
        in_order = tuple(sorted(members.items(), key=lambda member: member[0]))
        return Role(first.field, json=JsonRecords(self.kind, self.many, in_order, frozenset(self.names)))


class Roles:
    """The roles of open values, by occurrence, and the edits that casts around protected values need."""

    def __init__(self) -> None:
        self.by_offset: dict[int, Role] = {}
        self.opens: dict[int, Open] = {}
        self.by_parameter: dict[int, Role] = {}  # the first role that a parameter was given
        self.casts: dict[int, tuple[int, str]] = {}  # start of a type's name -> its end, the new name
        self.by_types = False  # whether a role depends on the types of literals
        self.records: dict[int, RecordsRead] = {}  # by the offset of the document
        self.blanks: dict[int, str] = {}  # literals of which only matters that they are not NULL: their types
        self._uses: dict[int, Use] = {}
        self._met: dict[int, LogicalType] = {}  # the type of the first alternatives that it stands among
        self._shown: dict[int, LogicalType] = {}

    def adopt(self, value: Value, construct: str) -> None:
        """Where an open value may be anything, a parameter takes the role that it has elsewhere."""
        for item in value.opens:
            role = self.by_parameter.get(item.parameter) if item.parameter else None
            if role is not None:
                self.assign(item, role.field, array=role.array and item.levels == 0, construct=construct)

    def blank(self, value: Value) -> None:
        """A literal is tested for NULL, which drivers that interpolate write of a value that is protected."""
        for item in value.opens:
            if item.parameter or item.null:
                continue
            casts = [site.type for site in item.casts]
            types = [known for known in casts if known is None or known.array or known.name not in _CUT]
            kind = "text" if item.type is None else "number"
            if len(types) == 1 and types[0] is not None and not types[0].array:
                kind = types[0].name if item.type is None else f"number {types[0].name}"
            elif types:
                continue
            self.blanks[item.offset] = kind

    def of(self, open_value: Open) -> Value | None:
        """The value that an occurrence already is by its role; None while it is open."""
        role = self.by_offset.get(open_value.offset)
        if open_value.offset in self.records and (sealed := self.records[open_value.offset].fields(self)):
            return Value(records=open_value, sealed=sealed)
        if role is None:
            return None
        if role.json is not None:
            sealed = frozenset(member.field for _, member in role.json.members)
            return Value(records=open_value, sealed=sealed)
        own = role.field.type
        kind = role.cast or open_value.type or LogicalType(own.name, array=own.array)
        return Value(
            field=role.field,
            array=role.array,
            type=None if kind == own else kind,
            untyped=role.cast is None and open_value.type is None,
            sources=(open_value,),
        )

    def assign(
        self,
        open_value: Open,
        field: BoundField,
        *,
        array: bool,
        construct: str,
        use: Use = Use.NONE,
        alone: bool = False,
    ) -> None:
        """Give an occurrence its role. Raises Refused where it already has another one."""
        if open_value.doubtful:
            refuse(field, f"a column that cannot be told from another one, in {construct}", HINTS["name"])
        depth = int(array) + open_value.levels
        if depth not in (0, 1):
            refuse(field, f"an array of another depth in {construct}", HINTS["value"])
        array = depth == 1
        alone = alone and not array
        compared = Use.COMPARED in use
        cast = self._converting_cast(open_value, field, compared=compared) if alone else None
        role = Role(field, array, cast or self._cast(open_value, field, construct))
        known = self.by_offset.get(open_value.offset)
        if known is not None and not (same_key(known.field, field) and known.array == array):
            refuse(field, f"one value used for two fields in {construct}", HINTS["value"])
        if known is None:
            self.by_offset[open_value.offset] = role
            self.opens[open_value.offset] = open_value
            if open_value.parameter:
                self.by_parameter.setdefault(open_value.parameter, role)
        if use:
            self._use(open_value, field, use, construct)

    def assign_record(self, open_value: Open, record: Record, array: bool, construct: str) -> None:
        """Give an occurrence of a composite value, or of an array of them, its role."""
        role = Role(record.members[0][1], array, record=record)
        known = self.by_offset.setdefault(open_value.offset, role)
        if known != role:
            refuse(role.field, f"one value used for two fields in {construct}", HINTS["value"])
        self.opens[open_value.offset] = open_value
        if open_value.parameter:
            self.by_parameter.setdefault(open_value.parameter, role)
        self._uses[open_value.offset] = Use.STORED

    def read_records(
        self,
        document: Open,
        kind: str,
        *,
        many: bool,
        names: Iterable[str],
        columns: Mapping[int, str] | None = None,
        fixed: Mapping[str, Role] | None = None,
    ) -> None:
        """A document of records is read: by definitions (`columns`), or as rows of a table (`fixed`)."""
        read = self.records.setdefault(document.offset, RecordsRead(document, kind, many))
        read.names.update(names)
        read.columns.update(columns or {})
        for name, role in (fixed or {}).items():
            if read.fixed.setdefault(name, role) != role:
                refuse(role.field, "one JSON document read in two ways", HINTS["twice"])
            self.by_offset.setdefault(document.offset, role)  # something new was found
        if (read.kind, read.many) != (kind, many):
            read.mixed = True

    def give_records(self, value: Value, role: Role) -> None:
        """A literal is an argument of EXECUTE, for a parameter that is a document of records."""
        if value.null or value.records is not None:
            return
        item = value.opens[0] if len(value.opens) == 1 else None
        if item is None or item.casts or item.type is not None or item.parameter or item.elements:
            refuse(role.field, "this spelling of a JSON document", "Write it as one string.")
        self.by_offset[item.offset] = role
        self.opens[item.offset] = item

    # --- what becomes of them ---------------------------------------------------------------------------

    def use(self, value: Value, use: Use, construct: str) -> None:
        """Something becomes of a field's values. Raises Refused where one ciphertext cannot serve for it."""
        for item in value.sources if use else ():
            assert value.field is not None
            self._use(item, value.field, use, construct)

    def _use(self, item: Open, field: BoundField, use: Use, construct: str) -> None:
        uses = self._uses.get(item.offset, Use.NONE) | use
        if (Use.STORED | Use.COMPARED) in uses and not same_either_way(field):
            refuse(field, f"one value that is both stored and compared, in {construct}", HINTS["twice"])
        known = self.opens[item.offset].casts
        if [site.start for site in known] != [site.start for site in item.casts]:
            refuse(field, f"one value that is cast in one place only, in {construct}", HINTS["twice"])
        untyped = item.type is None and not known and item.offset not in self._met
        if Use.COMPARED in use and item.left and untyped and field.type.element.name == "bpchar":
            refuse(field, f"a string whose trailing spaces count in {construct}", HINTS["type"])
        self._uses[item.offset] = uses

    def meet(self, value: Value, kind: LogicalType) -> None:
        """A value stands among alternatives whose type is known: it becomes one of that type."""
        for item in value.sources:
            if kind.name in _LOSSY:
                role = self.by_offset[item.offset]
                if role.cast is not None and role.cast.name != kind.name:
                    refuse(role.field, f"a value that is cast, and then becomes a {kind},", HINTS["value"])
                self._met[item.offset] = kind
            self._met.setdefault(item.offset, kind)

    def show(self, value: Value, construct: str) -> Value:
        """A value is given back as it is. Raises Refused where pgveil cannot tell how PostgreSQL shows it."""
        if value.row is not None:
            row = tuple((name, self.show(part, construct)) for name, part in value.row)
            return replace(value, row=row)
        if value.field is None or not value.sources:
            return value
        field = value.field
        kind = value.type or field.type
        if value.untyped and kind.name in STRINGS and not kind.array:
            kind = LogicalType("text")
            value = replace(value, type=None if kind == field.type else kind)
        if kind.family != field.type.family or kind.name == "bpchar":
            refuse(field, f"a value of type {kind} that is given back, in {construct}", HINTS["twice"])
        for item in value.sources:
            self._show(item, field, kind, construct)
        return value

    def show_as(self, value: Value, kind: LogicalType) -> None:
        """An argument of EXECUTE is shown where its parameter is."""
        for item in (*value.opens, *value.sources):
            self._shown[item.offset] = kind

    def _show(self, item: Open, field: BoundField, kind: LogicalType, construct: str) -> None:
        untyped = item.type is None and self.by_offset[item.offset].cast is None
        met = self._met.get(item.offset)
        if item.elements is not None or (untyped and met is None and kind.name != "text"):
            refuse(field, f"a value of unknown type that is given back, in {construct}", HINTS["type"])
        self._use(item, field, Use.SHOWN, construct)
        first = met is not None and untyped and met.family == field.type.family
        self._shown.setdefault(item.offset, replace(met if first and met else kind, modifier=-1))

    def settle(self) -> None:
        """Complete the roles by what has become of the values."""
        for offset, role in self.by_offset.items():
            if offset in self.records or role.json is not None:
                continue
            uses, shown = self._settled(offset, self.opens[offset].parameter)
            converting = self._converting_type(offset, role)
            self.by_types = self.by_types or shown is not None or converting is not None
            cast = role.cast or converting
            self.by_offset[offset] = replace(role, cast=cast, use=uses or Use.STORED, shown=shown)
        for offset, read in self.records.items():
            if read.fields(self):
                self.by_offset[offset] = read.role(self)
                self.opens[offset] = read.document

    def _converting_type(self, offset: int, role: Role) -> LogicalType | None:
        """The type that a value becomes before it meets the field, where that is another value then."""
        met, own = self._met.get(offset), role.field.type
        if met is None or met.array != own.array:
            return None
        if self.opens[offset].parameter and met.name != "bpchar":  # which may be declared otherwise
            if met.family != own.family and role.cast is None:
                refuse(role.field, f"a parameter beside values of type {met}", HINTS["type"])
            return None
        return met if met.name in _LOSSY or met.family != own.family else None

    def _settled(self, offset: int, parameter: int) -> tuple[Use, LogicalType | None]:
        """An occurrence of which nothing becomes is like another one of the same parameter."""
        if (uses := self._uses.get(offset)) or not parameter:
            return uses or Use.NONE, self._shown.get(offset)
        for other, item in self.opens.items():
            if item.parameter == parameter and (uses := self._uses.get(other)):
                return uses, self._shown.get(other)
        return Use.NONE, None

    # --- casts ------------------------------------------------------------------------------------------

    def _converting_cast(self, open_value: Open, field: BoundField, *, compared: bool) -> LogicalType | None:
        """A cast to another type, or to other limits: the value is read by it, and then becomes the field's.

        Only where the value stands alone: nobody else sees it as the type that it had.
        """
        if len(open_value.casts) != 1:
            return None
        site = open_value.casts[0]
        if site.type is None or (_spells(site.type, field.type) and site.type.array == field.type.array):
            return None
        fits = _can_be_looked_for if compared else assignable
        if not fits(site.type, field.type):
            return None
        self.casts[site.start] = (site.end, storage_name(field))
        return site.type

    def _cast(self, open_value: Open, field: BoundField, construct: str) -> LogicalType | None:
        """Check the casts around an open value and turn them into casts to the storage type."""
        seen: LogicalType | None = None
        for site in open_value.casts:
            self.cast(site, field, construct)
            if site.type is not None:
                kind = site.type if field.type.array else site.type.element
                if seen is not None and seen != kind and not {seen, kind} <= _STRINGS:
                    refuse(field, f"a cast within a cast to another type in {construct}", HINTS["value"])
                seen = kind
        own = seen is None or (seen.name == field.type.name and seen.modifier < 0 and open_value.type is None)
        return None if own else seen

    def cast(self, site: CastSite, field: BoundField, construct: str) -> None:
        """Let a cast to a spelling of the logical type stand as a cast to the storage type."""
        logical, target = field.type, site.type
        if target is None or not _spells(target, logical) or (logical.array and not target.array):
            hint = f"Cast to {logical}, or leave the cast out."
            refuse(field, f"a cast to another type in {construct}", hint)
        self.casts[site.start] = (site.end, storage_name(field, array=target.array and not logical.array))


_LOSSY = ("float4", "bpchar")  # values of other types are no longer equal once they have become these
_CUT = ("text", "varchar")  # a cast to these never fails
_STRINGS = {LogicalType("text"), LogicalType("varchar")}  # which a cast does not tell from each other


def _spells(target: LogicalType, logical: LogicalType) -> bool:
    """Whether a cast to a type leaves a field's values as they are, but for what widths do not hold."""
    return target.element.family == logical.element.family and target.modifier in (-1, logical.modifier)


def _can_be_looked_for(source: LogicalType, target: LogicalType) -> bool:
    """Whether a value of one type can be compared with a field of the other by what equals it there."""
    return comparable(source, target) and "time" not in (source.name, target.name)


def storage_name(field: BoundField, *, array: bool = False) -> str:
    """The SQL name of the storage type of a field's ciphertext."""
    name = field.storage if field.storage in ("bytea", "json", "jsonb") else "text"
    return f"{name}[]" if array else name
