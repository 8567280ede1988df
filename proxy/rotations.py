"""Which keys `pgveil rotate` means, and what has become of them. Pure: policy and records in, rows out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from crypto.hierarchy import DEK_ALGORITHM
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Records
from crypto.record_index import RecordIndex
from crypto.rotation import FieldVersion
from policy.model import Policy
from policy.names import qualified, with_schema
from proxy.keys import field_version

PENDING_NOTE = (
    "pending: equal values need one ciphertext, so that the values have to move to it by a rewriting job,"
    " which this release does not have; until then the old version encrypts"
)


@dataclass(frozen=True)
class Selection:
    """The keys that are meant, data keys by name. `keyless`: names that have no key yet."""

    fields: tuple[FieldVersion, ...] = ()
    tables: tuple[str, ...] = ()
    keyless: tuple[str, ...] = ()


def select_fields(policy: Policy, written: Iterable[str], records: Records) -> Selection:
    """Fields by [schema.]table.column, id, or key. Raises ValueError for one that the policy lacks."""
    index = RecordIndex(records)
    versions: dict[FieldVersion, None] = {}
    keyless = []
    for text in written:
        name = with_schema(text, 3)
        found = [f for f in policy.fields() if str(f) == name or text in (f.id, f.key)]
        if not found:
            raise ValueError(f"--field: the policy has no field {text!r}")
        for version in {field_version(field): None for field in found}:
            if version.find(index, KeyState.ACTIVE) is None:
                keyless.append(version.name)
            else:
                versions[version] = None
    return Selection(fields=tuple(versions), keyless=tuple(keyless))


def select_tables(policy: Policy, written: Iterable[str], records: Records) -> Selection:
    """Tables by [schema.]table, or a shared key by name. Raises ValueError for one that the policy lacks."""
    index = RecordIndex(records)
    deks: dict[str, None] = {}
    keyless = []
    for text in written:
        name = with_schema(text, 2)
        known = [f.dek_name for f in policy.fields() if f.dek_name in (name, text)]
        if not known:
            shared = {f.key for f in policy.fields() if qualified(f.schema, f.table) == name and f.key}
            more = f" of its own: its fields have the keys {', '.join(sorted(shared))}" if shared else ""
            raise ValueError(f"--table: the policy has no table {text!r} with a data key{more}")
        if index.find(KeyType.DEK, known[0], DEK_ALGORITHM, KeyState.ACTIVE) is None:
            keyless.append(known[0])
        else:
            deks[known[0]] = None
    return Selection(tables=tuple(deks), keyless=tuple(keyless))


def select_all(policy: Policy, records: Records) -> Selection:
    """Every field of the policy that has a key, and every data key."""
    index = RecordIndex(records)
    versions = {field_version(field): None for field in policy.fields()}
    deks = (r for r in records if r.key_type is KeyType.DEK and r.state is KeyState.ACTIVE)
    return Selection(
        fields=tuple(version for version in versions if version.find(index, KeyState.ACTIVE)),
        tables=tuple(sorted(dek.name for dek in deks)),
    )


def under_tables(tables: Iterable[str], records: Records) -> Selection:
    """These data keys, and every field key that they have wrapped: what an emergency is about."""
    wanted = set(tables)
    index = RecordIndex(records)
    fields = []
    for record in records:
        dek = index.get(record.parent_id)
        if record.key_type is KeyType.FEK and record.state is KeyState.ACTIVE and dek and dek.name in tables:
            fields.append(FieldVersion(record.name, record.algorithm))
            wanted.discard(dek.name)  # it is exchanged with them
    return Selection(tuple(fields), tuple(sorted(wanted)))


def rows(selection: Selection, before: Records, after: Records) -> Iterator[dict[str, Any]]:
    """What has become of the selected keys, and of the data keys that changed with them."""
    old, new = RecordIndex(before), RecordIndex(after)
    known = {record.id for record in before}
    made = {r.name for r in after if r.key_type is KeyType.DEK and r.id not in known and r.state.opens}
    for name in sorted(made | set(selection.tables)):
        place = (KeyType.DEK, name, DEK_ALGORITHM, KeyState.ACTIVE)
        to = new.require(*place)
        wrapped = sum(1 for r in after if r.parent_id == to.id and r.key_type is KeyType.FEK)
        yield _row(old.find(*place), to, f"{wrapped} field keys wrapped by it")
    for field in selection.fields:
        to = _found(field.find(new, KeyState.PENDING if field.deterministic else KeyState.ACTIVE))
        yield _row(field.find(old, KeyState.ACTIVE), to, PENDING_NOTE if field.deterministic else None)


def _row(before: KeyRecord | None, after: KeyRecord, note: str | None) -> dict[str, Any]:
    return {
        "type": after.key_type.value,
        "name": after.name,
        "algorithm": after.algorithm,
        "from": None if before is None else {"version": before.version, "id": before.short_id.hex()},
        "to": {"version": after.version, "id": after.short_id.hex(), "state": after.state.value},
        "note": note,
    }


def _found(record: KeyRecord | None) -> KeyRecord:
    assert record is not None
    return record
