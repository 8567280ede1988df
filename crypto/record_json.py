"""A key's record as JSON, in the sealed file of a keystore and in exports of one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord


def to_json(record: KeyRecord) -> dict[str, Any]:
    """The record with the columns of the table as its keys; bytes are base64, times ISO 8601."""
    return {
        "id": str(record.id),
        "key_type": record.key_type.value,
        "key_id": record.name,
        "version": record.version,
        "parent_id": str(record.parent_id) if record.parent_id else None,
        "algorithm": record.algorithm,
        "state": record.state.value,
        "encrypted_key": _encode(record.encrypted_key),
        "key_hash": _encode(record.key_hash),
        "created_at": record.created_at.isoformat(),
        "expires_at": record.expires_at.isoformat() if record.expires_at else None,
        "rotation_count": record.rotation_count,
        "metadata": dict(record.metadata),
    }


def from_json(fields: Mapping[str, Any]) -> KeyRecord:
    """The record. Raises KeyError, TypeError or ValueError where it is none."""
    return KeyRecord(
        id=UUID(fields["id"]),
        key_type=KeyType(fields["key_type"]),
        name=fields["key_id"],
        version=fields["version"],
        parent_id=UUID(fields["parent_id"]) if fields["parent_id"] else None,
        algorithm=fields["algorithm"],
        state=KeyState(fields["state"]),
        encrypted_key=_decode(fields["encrypted_key"]),
        key_hash=_decode(fields["key_hash"]),
        created_at=datetime.fromisoformat(fields["created_at"]),
        expires_at=datetime.fromisoformat(fields["expires_at"]) if fields["expires_at"] else None,
        rotation_count=fields["rotation_count"],
        metadata=fields["metadata"],
    )


def _encode(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _decode(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
