"""Where wrapped keys are kept: the record of one key version, and what every keystore can do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from crypto.envelope import KEY_ID_BYTES, length_prefixed
from crypto.keyset import KeyState, KeyType
from crypto.providers import Provider


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key version as the keystore holds it. What is secret in it is wrapped.

    `name` is the table's column key_id: of a FEK the field's id or the shared key's name, of a DEK
    schema.table or the shared key's name, of a master reference what its provider calls it.
    """

    id: UUID
    key_type: KeyType
    name: str
    version: int
    parent_id: UUID | None  # FEK: its DEK; DEK: the master reference
    algorithm: str
    state: KeyState
    encrypted_key: bytes | None = field(default=None, repr=False)
    key_hash: bytes | None = field(default=None, repr=False)
    created_at: datetime = field(default_factory=_now)
    expires_at: datetime | None = None
    rotation_count: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """What a message calls it."""
        return f"{self.key_type.value} {self.name!r} version {self.version}"

    @property
    def short_id(self) -> bytes:
        """What envelopes call this key; unique in a keystore."""
        return self.id.bytes[:KEY_ID_BYTES]

    @property
    def encryptions(self) -> int:
        """Encryptions by all processes so far, those that they have reserved included."""
        return int(self.metadata.get("encryptions", 0))

    @property
    def identity(self) -> bytes:
        """What the wrapped key is bound to, so that no two rows can be swapped and none renamed."""
        return length_prefixed(
            b"pgveil v1 key",
            self.key_type.value.encode(),
            self.name.encode(),
            str(self.version).encode(),
            self.algorithm.encode(),
            self.id.bytes,
            self.parent_id.bytes if self.parent_id else b"",
        )

    def advanced(self, to: KeyState) -> KeyRecord:
        """The record in its next state; a destroyed key is gone. Raises ValueError for an impossible step."""
        state = self.state.advance(to)
        if state is KeyState.DESTROYED:
            return replace(self, state=state, encrypted_key=None)
        return replace(self, state=state)

    def counted(self, encryptions: int) -> KeyRecord:
        """The record with so many encryptions more."""
        total = max(0, self.encryptions + encryptions)
        return replace(self, metadata={**self.metadata, "encryptions": total})


Records = tuple[KeyRecord, ...]
Change = Callable[[Records], Awaitable[Iterable[KeyRecord]]]


class Keystore(Protocol):
    """What the key manager needs of a keystore.

    Methods raise KeystoreUnavailable where it does not answer now, KeystoreOutdated where it can tell that it
    is an older copy of itself (it is not changed then), KeystoreError for everything else.
    """

    @property
    def location(self) -> str:
        """Where the keys are, for people."""

    async def create(self) -> None:
        """Set the keystore up, empty; one that exists is left as it is."""

    async def read(self) -> Records:
        """Every record, in no particular order."""

    async def update(self, change: Change) -> Records:
        """Change the keystore while no other process can; returns every record as it is then.

        `change` is given every record and returns those to add, or to put in the place of one of the same
        id. They are stored all or none; if it raises, none.
        """

    async def count(self, encryptions: Mapping[UUID, int]) -> Mapping[UUID, int]:
        """Add to the encryptions of key versions (or take away); returns their new totals."""

    def alone(self) -> AbstractAsyncContextManager[bool]:
        """Whether this process is the only one in here: of those that share the keystore, one at a time."""

    async def admit(self, provider: Provider) -> None:
        """Let this master key open the keystore itself, too; one that does already, by its newest version."""

    async def dismiss_others(self, provider: Provider) -> None:
        """Let no other master key than this one, which does already, open the keystore itself."""

    def changes(self) -> AsyncGenerator[None]:
        """Yields at the beginning, and whenever keys may have changed: for ever, through every outage."""

    async def close(self) -> None: ...


def merge(records: Iterable[KeyRecord], changed: Iterable[KeyRecord]) -> Records:
    """The records with the changed ones added, or in the place of those of the same id."""
    merged = {record.id: record for record in records}
    merged.update((record.id, record) for record in changed)
    return tuple(merged.values())
