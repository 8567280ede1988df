"""A keystore's records, found by what they are for; and new ones that fit among them.

Built once for all that one change of the keystore looks for: a keystore may hold ten thousand fields' keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid4

from crypto.errors import KeystoreError
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord


class RecordIndex:
    """Finds records, and makes blank ones whose version and short id are free."""

    def __init__(self, records: Iterable[KeyRecord]) -> None:
        self._versions: dict[tuple[KeyType, str], int] = {}
        self._states: dict[tuple[KeyType, str, str, KeyState], KeyRecord] = {}
        self._short_ids: set[bytes] = set()
        self._ids: dict[UUID, KeyRecord] = {}
        for record in records:
            self.add(record)

    def add(self, record: KeyRecord) -> None:
        """One more record."""
        name = (record.key_type, record.name)
        self._versions[name] = max(record.version, self._versions.get(name, 0))
        self._short_ids.add(record.short_id)
        self._ids[record.id] = record
        place = (*name, record.algorithm, record.state)
        known = self._states.get(place)
        if known is None or known.version < record.version:
            self._states[place] = record

    def find(self, key_type: KeyType, name: str, algorithm: str, state: KeyState) -> KeyRecord | None:
        """The version of a key that is in a state; the newest, if there are several."""
        return self._states.get((key_type, name, algorithm, state))

    def require(self, key_type: KeyType, name: str, algorithm: str, state: KeyState) -> KeyRecord:
        """The same. Raises KeystoreError if there is none."""
        if (found := self.find(key_type, name, algorithm, state)) is None:
            raise KeystoreError(f"{key_type.value} {name!r} has no {state.value} version")
        return found

    def get(self, id_: UUID | None) -> KeyRecord | None:
        return None if id_ is None else self._ids.get(id_)

    def blank(
        self,
        key_type: KeyType,
        name: str,
        algorithm: str,
        parent: KeyRecord | None,
        state: KeyState = KeyState.ACTIVE,
    ) -> KeyRecord:
        """A record, with no key yet, of the next version of a key; add it when it has one."""
        return KeyRecord(
            id=self._free_id(),
            key_type=key_type,
            name=name,
            version=self._versions.get((key_type, name), 0) + 1,
            parent_id=parent.id if parent else None,
            algorithm=algorithm,
            state=state,
        )

    def _free_id(self) -> UUID:
        while (candidate := uuid4()).bytes[:4] in self._short_ids:
            pass
        return candidate
