"""From roles to a template: edits by token span of the original text. A statement is never printed anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from policy.types import LogicalType
from proxy.sql.array_literal import array_slot, closing_bracket
from proxy.sql.context import Context, logical_type
from proxy.sql.json_records import require_no_leftovers
from proxy.sql.literal import LITERAL_TOKENS
from proxy.sql.parse import Node, Parsed, Token
from proxy.sql.plan import Constant, Role, Slot, WireParameter
from proxy.sql.roles import storage_name
from proxy.sql.value import HINTS, Open, refuse, same_either_way

# Types of which a value of one is the same value of the other, as far as it fits.
_ALIKE = (frozenset({"text", "varchar"}), frozenset({"int2", "int4", "int8"}))


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What the plan of a text needs: its template and its parameters (None: as they came)."""

    template: tuple[Constant | Slot, ...] | None
    parameters: tuple[WireParameter, ...] | None
    client_parameters: int


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def literal_tokens(parsed: Parsed) -> list[Token]:
    """The literals of a text, in order: what slots count."""
    return [token for token in parsed.tokens if token.name in LITERAL_TOKENS]


def rewrite(context: Context, prepare: bool) -> Rewritten:
    """Build the template. `prepare`: the parameters are SQL PREPARE's own, not the protocol's."""
    parsed = context.parsed
    context.roles.settle()
    require_no_leftovers(context)
    parameters, renumbered, count = _parameters(context)
    edits = [
        _Edit(start, end, name)
        for start, (end, name) in {**context.roles.casts, **context.type_edits}.items()
        if parsed.text[start:end].lower() != name
    ]
    if prepare and parameters is not None:
        edits += _prepared_types(context, parameters, count)
    edits += renumbered
    slots = _slots(context) + _comparisons_with_true(context)
    if not edits and not slots:
        return Rewritten(None, parameters, count)
    if slots:
        slots += _blanks(context)
    return Rewritten(_template(parsed, edits, slots), parameters, count)


# --- parameters ------------------------------------------------------------------------------------------


def _parameters(context: Context) -> tuple[tuple[WireParameter, ...] | None, list[_Edit], int]:
    """The parameters on the wire, and the edits that give a second role its own number."""
    tokens = [token for token in context.parsed.tokens if token.name == "PARAM"]
    count = max((int(token.text[1:]) for token in tokens), default=0)
    roles = context.roles.by_offset
    if not any(token.start in roles for token in tokens):
        return None, [], count
    found: list[list[Role | None]] = [[] for _ in range(count)]
    for token in tokens:
        known = found[int(token.text[1:]) - 1]
        if not any(_same(role, roles.get(token.start)) for role in known):
            known.append(roles.get(token.start))
    for known in found:
        _require_no_plain_role(known)
    wire = [WireParameter(i, known[0] if known else None) for i, known in enumerate(found)]
    numbers: dict[tuple[int, int], int] = {}
    for i, known in enumerate(found):
        for j, role in enumerate(known[1:], 1):
            wire.append(WireParameter(i, role))
            numbers[i, j] = len(wire)
    edits = []
    for token in tokens:
        i = int(token.text[1:]) - 1
        j = next(j for j, role in enumerate(found[i]) if _same(role, roles.get(token.start)))
        if j > 0:
            edits.append(_Edit(token.start, token.end, f"${numbers[i, j]}"))
    return tuple(wire), edits, count


def _require_no_plain_role(known: list[Role | None]) -> None:
    """A value that is encrypted in one place must not be sent in clear for another."""
    protected = next((role for role in known if role is not None), None)
    if protected is not None and len(known) > 1 and any(role and role.json for role in known):
        refuse(protected.field, "one JSON document read in two ways", HINTS["twice"])
    if protected is not None and None in known:
        refuse(
            protected.field,
            "one parameter used for it and, in clear, for something else",
            "Use two parameters, if the other use may show the value to the server.",
        )


def _same(one: Role | None, other: Role | None) -> bool:
    """Whether two roles give the same ciphertext, so that one parameter serves both."""
    if one is None or other is None:
        return one is other
    return (
        one.field.field.key_name == other.field.field.key_name
        and one.field.field.algorithm == other.field.field.algorithm
        and one.type == other.type
        and (one.use == other.use or same_either_way(one.field))
        and one.shown == other.shown
        and one.record == other.record
        and one.field.storage == other.field.storage
        and one.json == other.json
    )


def _prepared_types(context: Context, parameters: Sequence[WireParameter], count: int) -> list[_Edit]:
    """PREPARE name (types): the types of protected parameters become storage types."""
    if len(parameters) > count:
        field = next(p.role.field for p in parameters if p.role is not None)
        refuse(field, "one parameter of PREPARE used in two roles", "Use two parameters.")
    statement: Node = context.parsed.statements[0]
    edits = []
    for parameter, node in zip(parameters, statement.argtypes or (), strict=False):
        site = context.cast_site(node)
        if parameter.role is not None and parameter.role.record is not None:
            refuse(parameter.role.field, "a composite parameter of PREPARE", "Prepare it by the protocol.")
        if parameter.role is not None and parameter.role.json is None and site is not None:
            if node.names[-1].sval != "unknown":
                _require_type_of(parameter.role, logical_type(node))
            name = storage_name(parameter.role.field, array=parameter.role.array)
            edits.append(_Edit(site.start, site.end, name))
    return edits


def _require_type_of(role: Role, declared: LogicalType | None) -> None:
    """A declared type that arguments would have to be converted to on their way is refused."""
    own = role.type
    alike = declared is not None and (
        declared.name == own.name or any({own.name, declared.name} <= group for group in _ALIKE)
    )
    if declared is None or declared.array != own.array or not alike:
        refuse(
            role.field,
            "a parameter of PREPARE that is declared with another type",
            "Declare it with the column's type, or leave the types out.",
        )


# --- literals --------------------------------------------------------------------------------------------


def _slots(context: Context) -> list[tuple[int, int, Slot]]:
    """The literals that are encrypted: (start, end, slot)."""
    parsed = context.parsed
    literals = literal_tokens(parsed)
    ordinals = {token.start: i for i, token in enumerate(literals)}
    found = []
    for offset, open_value in sorted(context.roles.opens.items()):
        if open_value.parameter or open_value.null or open_value.member:
            continue
        role = context.roles.by_offset[offset]
        if open_value.elements is not None:
            end, slot = _array_slot(parsed, ordinals, open_value, role)
        else:
            end, slot = _literal_slot(parsed, ordinals, offset, role)
        if open_value.type is not None and context.roles.by_types:  # the size of a number gives its type
            context.pinned.add(literals[slot.ordinal].start if slot.ordinal >= 0 else offset)
        cast = open_value.casts or role.record is not None or role.json is not None
        suffix = b"" if cast or role.field.storage != "bytea" else _suffix(role)
        found.append((offset, end, replace(slot, role=role, suffix=suffix)))
    return found


_NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8")
_BLANKS = {
    **dict.fromkeys(("text", "bytea"), "''"),
    **dict.fromkeys(_NUMBERS, "'0'"),
    "number": "0",
    **dict.fromkeys(("date", "timestamp", "timestamptz"), "'2000-01-01'"),
    "uuid": "'00000000-0000-0000-0000-000000000000'",
    **dict.fromkeys(("json", "jsonb"), "'null'"),
}


def _blanks(context: Context) -> list[tuple[int, int, Slot]]:
    """The literals that are tested for NULL beside protected ones: they may be the same values."""
    roles = context.roles
    sealed = {role.field.type.name for role in roles.by_offset.values()}
    found = []
    for i, token in enumerate(literal_tokens(context.parsed)):
        offset = _with_sign(context.parsed, token.start)
        text = _blank(roles.blanks.get(offset, ""), sealed)
        if text and not {offset, token.start} & roles.by_offset.keys():
            found.append((token.start, token.end, Slot(i, blank=text)))
    return found


def _with_sign(parsed: Parsed, start: int) -> int:
    """Where a literal begins that is a number with a minus before it; `start`: of the number."""
    index = parsed.token_at(start)
    before = parsed.tokens[index - 1] if index else None
    return before.start if before is not None and before.text == "-" else start


def _blank(kind: str, sealed: set[str]) -> str:
    """What stands for a literal of a kind. A cast may fail: then a sealed value of its type does, too."""
    number, _, name = kind.rpartition(" ")
    if name in ("text", "number") or name in sealed:
        return "0" if number and name in _NUMBERS else "" if number else _BLANKS.get(name, "")
    return ""


def _literal_slot(parsed: Parsed, ordinals: dict[int, int], offset: int, role: Role) -> tuple[int, Slot]:
    """The end and the slot of one literal, with its sign."""
    index = parsed.token_at(offset)
    assert index is not None
    token = parsed.tokens[index]
    following = parsed.tokens[index + 1].text.lower() if index + 1 < len(parsed.tokens) else ""
    if token.name == "USCONST" and following == "uescape":
        refuse(role.field, "UESCAPE", "Write the characters themselves.")
    if token.start in ordinals:
        return token.end, Slot(ordinals[token.start])
    if token.text in "+-" and parsed.tokens[index + 1].start in ordinals:
        number = parsed.tokens[index + 1]
        lead = number.start - token.start
        return number.end, Slot(ordinals[number.start], negative=token.text == "-", lead=lead)
    if token.text.lower() not in ("true", "false", "null"):
        refuse(role.field, "this spelling of a value", "Write the value as a string.")
    return token.end, Slot(-1, fixed=token.text.lower())


def _array_slot(parsed: Parsed, ordinals: dict[int, int], open_value: Open, role: Role) -> tuple[int, Slot]:
    """The end and the slot of ARRAY[...], whose literals become one value."""
    index = parsed.token_at(open_value.offset)
    assert index is not None
    assert open_value.elements is not None
    elements = [_literal_slot(parsed, ordinals, offset, role)[1] for offset in open_value.elements]
    end = closing_bracket(parsed.tokens, index).end
    literals = literal_tokens(parsed)
    taken = [literals[element.ordinal] for element in elements if element.ordinal >= 0]
    width = end - open_value.offset - sum(token.end - token.start for token in taken)
    return end, array_slot(Slot(-1), open_value, elements, width)


def _suffix(role: Role) -> bytes:
    return f"::{storage_name(role.field, array=role.array)}".encode()


def _comparisons_with_true(context: Context) -> list[tuple[int, int, Slot]]:
    """Before each boolean column that is a condition: a value that it is compared with."""
    found = []
    for start, role in context.tested.items():
        no_characters = -len("true")
        slot = Slot(-1, role, lead=no_characters, fixed="true", suffix=_suffix(role) + b" = ")
        found.append((start, start, slot))
    return found


# --- the template ----------------------------------------------------------------------------------------


def _template(
    parsed: Parsed, edits: list[_Edit], slots: list[tuple[int, int, Slot]]
) -> tuple[Constant | Slot, ...]:
    """Cut the text at every literal, protected or not, so that it serves for all texts of its shape."""
    taken = {part.ordinal for _, _, slot in slots for part in (slot, *(slot.elements or ()))}
    cuts = list(slots)
    for i, token in enumerate(literal_tokens(parsed)):
        edited = any(edit.start <= token.start < edit.end for edit in edits)
        if i not in taken and not edited:
            cuts.append((token.start, token.end, Slot(i)))
    pieces: list[Constant | Slot] = []
    position = 0
    for start, end, slot in sorted(cuts, key=lambda cut: cut[0]):
        pieces += [_constant(parsed.text, position, start, edits), slot]
        position = end
    pieces.append(_constant(parsed.text, position, len(parsed.text), edits))
    return tuple(pieces)


def _constant(text: str, start: int, end: int, edits: list[_Edit]) -> Constant:
    parts: list[str] = []
    widths: list[tuple[int, int]] = []
    position = start
    for edit in sorted(edits, key=lambda edit: edit.start):
        if start <= edit.start and edit.end <= end:
            parts += [text[position : edit.start], edit.text]
            widths += [(edit.start - position,) * 2, (0, len(edit.text)), (edit.end - edit.start, 0)]
            position = edit.end
    parts.append(text[position:end])
    return Constant("".join(parts), (*widths, (end - position, end - position)))
