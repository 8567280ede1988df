"""JSON documents that the server makes of protected values: what is known of them, and what becomes of them.

The server sees the documents with a string wherever a protected value stands. What it may do with one is what
does not depend on those strings: carry it, put it into another one, merge objects by keys that are plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from proxy.sql.plan import JsonMember
from proxy.sql.value import HINTS, CastSite, Document, Value, in_order, refuse, require_plain

OBJECT, ARRAY, ANY = "object", "array", "any"  # what a document is, seen by the server too
EMPTY = {"[]": ARRAY, "{}": OBJECT, "null": ANY}  # documents that say nothing, and may stand in clear
_KINDS = {"json": "json", "jsonb": "jsonb", "text": "text", "varchar": "text"}


def built(values: Sequence[Value], kind: str, top: str, *, indented: bool = False) -> Value:
    """The document that the server makes of these. Raises Refused where it would hold another one as text."""
    members = frozenset(member for value in values for member in _members(value, kind, indented=indented))
    return Value(json=Document(members, kind, top))


def _members(value: Value, kind: str, *, indented: bool = False) -> Iterator[JsonMember]:
    normal = kind == "jsonb"
    if value.records is not None:
        require_plain(value, "another document around a JSON document of records")
    if value.field is not None:
        own = value.type or value.field.type
        yield JsonMember(value.field, own, normal, indented and own.array and not (value.array or normal))
    if value.json is not None:
        _require_no_text(value, "JSON within JSON")
        for member in value.json.members:
            yield replace(member, normal=True, indented=False) if normal else member
    for _, part in value.row or ():
        yield from _members(part, kind)


def _require_no_text(value: Value, construct: str) -> None:
    """A document that was cast to text becomes a string, in which the envelopes are no strings any more."""
    if value.json is not None and value.json.kind == "text":
        for field in in_order(value.fields)[:1]:
            refuse(field, f"a cast to text, and then {construct},", "Leave the cast out.")


def settled(document: Document) -> tuple[JsonMember, ...]:
    """The members for the plan, one a key. Raises Refused where one key's values have two forms.

    Envelopes name keys, so that values of one key cannot be told from each other where they stand.
    """
    found: dict[tuple[str, bool], JsonMember] = {}
    for member in sorted(document.members, key=_place):
        place = (member.field.field.key_name, member.field.storage == "bytea")
        known = found.setdefault(place, member)
        if _form(known) != _form(member):
            refuse(member.field, "one document that holds its values in two forms", HINTS["twice"])
        if known.indented != member.indented:  # white space alone is no reason to refuse
            found[place] = replace(known, indented=False)
    return tuple(found.values())


def _place(member: JsonMember) -> tuple[int, int, bool, str]:
    return member.field.relation_oid, member.field.number, member.normal, str(member.type)


def _form(member: JsonMember) -> tuple[object, ...]:
    """What the spelling of a member's values depends on."""
    kind = member.type
    padded = kind.modifier if kind.modifier >= 0 else member.field.type.modifier
    respelled = member.normal and (kind.array or kind.name in ("json", "float4", "float8"))
    return kind.family, kind.array, respelled, padded if kind.name == "bpchar" else None


def cast_document(value: Value, site: CastSite) -> Value:
    """A document that is cast to the other kind, or to text, in which it can only be shown."""
    assert value.json is not None
    kind = _KINDS.get(site.type.name) if site.type is not None else None
    if kind is None or site.type is None or site.type.modifier >= 0 or site.type.array or value.array:
        require_plain(value, "a cast of JSON to another type")
        return value
    members, top = value.json.members, value.json.top
    if kind == "jsonb":
        members = frozenset(replace(member, normal=True, indented=False) for member in members)
    return replace(value, json=Document(members, kind, "" if kind == "text" else top))


# --- alternatives ----------------------------------------------------------------------------------------


def empty(text: str) -> Value | None:
    """A literal that is an empty document; None for any other."""
    top = EMPTY.get(text.strip(" \t\r\n"))
    return None if top is None else Value(json=Document(frozenset(), "", top))


def alternatives(values: Sequence[Value], construct: str) -> Value:
    """The common value of documents, one of which holds protected values."""
    holder = next(value for value in values if value.json is not None and value.json.members)
    present = [value for value in values if not value.null]
    documents = [value.json or Document(frozenset(), "", ANY) for value in present]
    kinds = {document.kind for document in documents if document.kind}
    arrays = {value.array for value in present if value.json is not None and value.json.kind}
    others = any(value.field is not None or value.row is not None or value.opens for value in present)
    if others or len(kinds) > 1 or len(arrays) > 1:
        refuse(in_order(holder.fields)[0], f"mixing JSON with other values in {construct}", HINTS["value"])
    members = frozenset(member for document in documents for member in document.members)
    tops = {document.top for document in documents}
    top = "" if "" in tops else tops.pop() if len(tops) == 1 else ANY
    return Value(json=Document(members, kinds.pop(), top), array=holder.array)


# --- functions and operators -----------------------------------------------------------------------------


def without_nulls(value: Value, name: str) -> Value:
    """json_strip_nulls(): the server sees which members are NULL, but not the nulls inside protected JSON."""
    document = value.json
    if document is None or document.kind == "text" or value.array:
        require_plain(value, f"the function {name}()")
        return value
    for member in sorted(document.members, key=_place):
        if member.type.name in ("json", "jsonb"):
            refuse(member.field, f"the function {name}() on JSON inside JSON", HINTS["function"])
    return replace(value, json=replace(document, members=_in_one_line(document)))


def without_element(value: Value) -> Value:
    """One element of an array, which may be a protected value."""
    assert value.json is not None
    return Value(json=Document(_in_one_line(value.json), value.json.kind))


def _in_one_line(document: Document) -> frozenset[JsonMember]:
    return frozenset(replace(member, indented=False) for member in document.members)


def merged(left: Value, right: Value) -> Value | None:
    """`||` of jsonb: objects by their keys, arrays one behind the other; None where a top is not known."""
    if any(value.field is not None or value.row is not None or value.array for value in (left, right)):
        return None
    documents = [value.json for value in (left, right) if value.json is not None]
    if any(document.kind != "jsonb" or not document.top for document in documents):
        return None
    members = frozenset(member for document in documents for member in document.members)
    tops = {document.top for document in documents}
    return Value(json=Document(members, "jsonb", tops.pop() if len(tops) == 1 == len(documents) - 1 else ANY))
