"""A policy's document to a Policy; every problem of the file is noted, not only the first."""

from __future__ import annotations

from types import MappingProxyType

from policy import names
from policy.document import MappingNode, Node, Problems, ScalarNode, suggestion
from policy.function_builder import read_functions, read_trusted_blocks, read_trusted_functions
from policy.model import ALGORITHMS, RECORD_KEY, Field, FieldClass, Location, Mode, Policy
from policy.names import qualified
from policy.rotation import Rotation
from policy.rotation_builder import read_key_rules, read_rotate_every, read_rotation
from policy.storage import mode_problem
from policy.types import LogicalType

SENSITIVITIES = ("low", "medium", "high", "critical")
_KEYS = (
    *("version", "classes", "tables", "functions", "trusted_functions", "trusted_blocks"),
    *("rotation", "keys", "audit"),
)
_CLASS_KEYS = ("sensitivity", "mode", "algorithm", "record_key", "rotate_every", "destroyed")
_FIELD_KEYS = ("class", "type", "id", "key", "plaintext", "destroyed")
_MODES = {mode.value: mode for mode in Mode}


def build(document: MappingNode, problems: Problems) -> Policy:
    """Make sense of a document. What is wrong goes to `problems`; the result counts if there are none."""
    problems.unknown_keys(document, _KEYS, "the policy")
    _version(document, problems)
    rotation = read_rotation(document, problems)
    classes = _classes(document, rotation, problems)
    tables = _Tables(classes, _class_names(document), problems).read(document)
    functions = read_functions(document, tables, problems)
    policy = Policy(
        classes=MappingProxyType(classes),
        tables=MappingProxyType(tables),
        functions=functions,
        trusted_functions=read_trusted_functions(document, problems),
        trusted_blocks=read_trusted_blocks(document, problems),
        rotation=rotation,
        keys=read_key_rules(document, problems),
        audit_required=_audit_required(document, problems),
    )
    _check_ids(policy, problems)
    _check_shared_keys(policy, problems)
    return policy


def _version(document: MappingNode, problems: Problems) -> None:
    node = document.entries.get("version")
    if node is None:
        problems.add(document.location, "the policy has no version (write version: 1)")
    elif not isinstance(node, ScalarNode) or node.text != "1":
        problems.add(node.location, "version must be 1, the only one this release knows")


def _audit_required(document: MappingNode, problems: Problems) -> bool:
    """Whether work is refused while the audit trail cannot be written."""
    if (node := document.entries.get("audit")) is None:
        return False
    if (mapping := problems.mapping(node, "audit")) is None:
        return False
    problems.unknown_keys(mapping, ("on_failure",), "audit")
    if (choice := mapping.entries.get("on_failure")) is None:
        return False
    return problems.choice(choice, ("refuse", "continue"), "on_failure") == "refuse"


def _classes(document: MappingNode, rotation: Rotation, problems: Problems) -> dict[str, FieldClass]:
    if (node := document.entries.get("classes")) is None:
        problems.add(document.location, "the policy has no classes")
        return {}
    classes = {}
    if (mapping := problems.mapping(node, "classes")) is not None:
        for name, location, body in mapping:
            if (found := _class(name, location, body, rotation, problems)) is not None:
                classes[name] = found
    return classes


def _class_names(document: MappingNode) -> set[str]:
    """Also the classes that have errors of their own, so that their fields are not reported as well."""
    node = document.entries.get("classes")
    return set(node.entries) if isinstance(node, MappingNode) else set()


def _class(
    name: str, location: Location, body: Node, rotation: Rotation, problems: Problems
) -> FieldClass | None:
    if (mapping := problems.mapping(body, f"class {name!r}")) is None:
        return None
    problems.unknown_keys(mapping, _CLASS_KEYS, f"class {name!r}")
    sensitivity: str | None = "high"
    if (node := mapping.entries.get("sensitivity")) is not None:
        sensitivity = problems.choice(node, SENSITIVITIES, "sensitivity")
    if (node := mapping.entries.get("mode")) is None:
        problems.add(location, f"class {name!r} has no mode ({' or '.join(_MODES)})")
        return None
    if (mode_name := problems.choice(node, _MODES, "mode")) is None:
        return None
    mode = _MODES[mode_name]
    algorithm = _algorithm(mapping, mode, problems)
    by_record = _record_key(mapping, mode, problems)
    null_if_destroyed = _null_if_destroyed(mapping, problems, default=False)
    rotate_every = read_rotate_every(mapping, rotation.fields, problems)
    if sensitivity is None or algorithm is None:
        return None
    if by_record:
        algorithm += RECORD_KEY
    return FieldClass(name, sensitivity, mode, algorithm, null_if_destroyed, rotate_every)


def _algorithm(mapping: MappingNode, mode: Mode, problems: Problems) -> str | None:
    allowed = ALGORITHMS[mode]
    if (node := mapping.entries.get("algorithm")) is None:
        return allowed[0]
    every = [algorithm for of_mode in ALGORITHMS.values() for algorithm in of_mode]
    if (algorithm := problems.choice(node, every, "algorithm")) is None:
        return None
    if algorithm not in allowed:
        problems.add(
            node.location, f"algorithm {algorithm} cannot be {mode.value} (it can be: {', '.join(allowed)})"
        )
        return None
    return algorithm


def _record_key(mapping: MappingNode, mode: Mode, problems: Problems) -> bool:
    """Whether each value has a key of its own."""
    if (node := mapping.entries.get("record_key")) is None:
        return False
    if problems.choice(node, ("true", "false"), "record_key") != "true":
        return False
    if mode is not Mode.RANDOMIZED:
        problems.add(node.location, "record_key needs a randomized class: equal values would differ")
    return True


def _null_if_destroyed(mapping: MappingNode, problems: Problems, *, default: bool) -> bool:
    """Whether a value whose key was destroyed reads as NULL."""
    if (node := mapping.entries.get("destroyed")) is None:
        return default
    if isinstance(node, ScalarNode) and node.null and node.text.lower() == "null":  # YAML's null, and ours
        return True
    return problems.choice(node, ("error", "null"), "destroyed") == "null"


class _Tables:
    """Reads the tables of a policy."""

    def __init__(self, classes: dict[str, FieldClass], class_names: set[str], problems: Problems) -> None:
        self._classes = classes
        self._class_names = class_names
        self._problems = problems

    def read(self, document: MappingNode) -> dict[tuple[str, str], MappingProxyType[str, Field]]:
        if (node := document.entries.get("tables")) is None:
            self._problems.add(document.location, "the policy has no tables")
            return {}
        tables: dict[tuple[str, str], MappingProxyType[str, Field]] = {}
        if (mapping := self._problems.mapping(node, "tables")) is None:
            return tables
        for written, location, body in mapping:
            name = self._table_name(written, location)
            if name in tables:
                self._problems.add(location, f"duplicate table {qualified(*name)}")
            elif (columns := self._problems.mapping(body, f"table {written!r}")) is not None and name:
                tables[name] = MappingProxyType(self._fields(name, columns))
        return tables

    def _table_name(self, written: str, location: Location) -> tuple[str, str] | None:
        parts = names.split(written)
        if parts is None or len(parts) > 2:
            self._problems.add(
                location,
                f"cannot read the table name {written!r} (table, schema.table, or parts in double quotes)",
            )
            return None
        return ("public", parts[0]) if len(parts) == 1 else (parts[0], parts[1])

    def _fields(self, table: tuple[str, str], columns: MappingNode) -> dict[str, Field]:
        fields: dict[str, Field] = {}
        for written, location, body in columns:
            parts = names.split(written)
            if parts is None or len(parts) != 1:
                self._problems.add(
                    location,
                    f"cannot read the column name {written!r} (a name with a dot goes in double quotes)",
                )
            elif parts[0] in fields:
                self._problems.add(location, f"duplicate column {parts[0]!r}")
            elif (field := self._field(table, parts[0], location, body)) is not None:
                fields[parts[0]] = field
        return fields

    def _field(self, table: tuple[str, str], column: str, location: Location, body: Node) -> Field | None:
        name = qualified(*table, column)
        if isinstance(body, ScalarNode) and not body.null:
            mapping = MappingNode({"class": body}, {"class": body.location}, body.location)
        elif isinstance(body, MappingNode):
            mapping = body
        else:
            self._problems.add(
                body.location, f"{name} needs a class (a class name, or a mapping with class:)"
            )
            return None
        self._problems.unknown_keys(mapping, _FIELD_KEYS, name)
        field_class = self._class(mapping, location, name)
        logical = self._type(mapping, field_class)
        plaintext_allowed = self._plaintext_allowed(mapping)
        if field_class is None:
            return None
        return Field(
            schema=table[0],
            table=table[1],
            column=column,
            id=self._name(mapping, "id") or name,
            key=self._name(mapping, "key"),
            field_class=field_class,
            type=logical,
            plaintext_allowed=plaintext_allowed,
            location=location,
            null_if_destroyed=_null_if_destroyed(
                mapping, self._problems, default=field_class.null_if_destroyed
            ),
        )

    def _class(self, mapping: MappingNode, location: Location, field: str) -> FieldClass | None:
        if (node := mapping.entries.get("class")) is None:
            self._problems.add(location, f"{field} has no class")
            return None
        if (name := self._problems.text(node, "class")) is None:
            return None
        if name not in self._class_names:
            hint = suggestion(name, self._class_names)
            self._problems.add(node.location, f"class {name!r} of {field} does not exist{hint}")
        return self._classes.get(name)

    def _name(self, mapping: MappingNode, key: str) -> str | None:
        node = mapping.entries.get(key)
        return None if node is None else self._problems.text(node, key)

    def _type(self, mapping: MappingNode, field_class: FieldClass | None) -> LogicalType | None:
        if (node := mapping.entries.get("type")) is None:
            return None
        if (spelling := self._problems.text(node, "type")) is None:
            return None
        try:
            logical = LogicalType.parse(spelling)
        except ValueError as error:
            self._problems.add(node.location, str(error))
            return None
        if field_class is not None and (reason := mode_problem(field_class.mode, logical)) is not None:
            self._problems.add(node.location, f"{reason}; class {field_class.name!r} is deterministic")
        return logical

    def _plaintext_allowed(self, mapping: MappingNode) -> bool:
        if (node := mapping.entries.get("plaintext")) is None:
            return False
        return self._problems.choice(node, ("allow", "refuse"), "plaintext") == "allow"


def _check_ids(policy: Policy, problems: Problems) -> None:
    """A key's name names one key: fields of one id are one field, no shared key is called as a field's."""
    first: dict[str, Field] = {}
    for field in policy.fields():
        if not field.is_alike(other := first.setdefault(field.id, field)):
            problems.add(
                field.location,
                f"{field} and {other} have the same id {field.id!r}: as two names of one field they need "
                "the same class, type and key",
            )
    for field in policy.fields():
        owner = first.get(field.key) if field.key is not None else None
        if owner is not None and owner.key != field.key:
            problems.add(field.location, f"the key {field.key!r} of {field} is also the id of {owner}")


def _check_shared_keys(policy: Policy, problems: Problems) -> None:
    """Fields that share a key are compared with each other: their ciphertexts must be made alike."""
    first: dict[str, Field] = {}
    for field in policy.fields():
        if field.key is None:
            continue
        other = first.setdefault(field.key, field)
        shared = f"{field} and {other} share the key {field.key!r}, so they must have the same"
        if (field.mode, field.algorithm) != (other.mode, other.algorithm):
            problems.add(field.location, f"{shared} mode and algorithm")
        elif field.type and other.type and field.type.family != other.type.family:
            problems.add(field.location, f"{shared} type (they have {field.type} and {other.type})")
