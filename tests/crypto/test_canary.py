"""What a key leaves in its record: by it, and by nothing else, the key is known again."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from crypto.canary import FAMILY, TEXT, canary_of, fingerprint, fingerprint_of, marked, opens
from crypto.envelope import SUITES, associated_data, from_ascii, header, parse
from crypto.hierarchy import DEK_ALGORITHM, create_dek
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord
from crypto.providers.local import LocalProvider
from policy.types import TYPES
from tests.crypto.stores import new_record


def fek(algorithm: str) -> KeyRecord:
    return KeyRecord(
        id=UUID("5eed0000-0000-4000-8000-000000000001"),
        key_type=KeyType.FEK,
        name="public.users.email",
        version=1,
        parent_id=None,
        algorithm=algorithm,
        state=KeyState.ACTIVE,
    )


@pytest.mark.parametrize("algorithm", SUITES)
def test_only_its_key_opens_a_canary(algorithm: str) -> None:
    key = bytes(range(SUITES[algorithm].key_bytes))
    record = marked(fek(algorithm), key)
    canary = canary_of(record)
    assert canary is not None
    assert opens(canary, record, key)
    assert not opens(canary, record, key[::-1])
    assert not opens(canary, replace(record, name="public.users.phone"), key)
    assert not opens(canary, replace(record, id=UUID(int=7)), key)
    assert not opens("pgv1:", record, key)


@pytest.mark.parametrize("algorithm", SUITES)
def test_the_fingerprint_names_the_key_and_its_field(algorithm: str) -> None:
    key = bytes(range(SUITES[algorithm].key_bytes))
    record = marked(fek(algorithm), key)
    noted = fingerprint_of(record)
    assert noted == fingerprint(record, key)
    assert len({noted, fingerprint(record, key[::-1]), fingerprint(replace(record, name="x"), key)}) == 3
    assert fingerprint(replace(record, parent_id=UUID(int=7), state=KeyState.RETIRING), key) == noted


def test_an_example_of_the_page() -> None:
    """docs/envelope.md; the canary of a deterministic key is always the same."""
    record = marked(fek("aes-siv"), bytes(range(64)))
    assert record.metadata == {
        "canary": "pgv1:AQNe7QAAUcBXN-wJfHLjYsHlaSz1Ms-YBLfJ6VCijB42sNTV",
        "fingerprint": "c70afa0c49dba6fec22a0cea84ca9537",
    }


def test_a_canary_is_an_envelope_of_the_value_format() -> None:
    record = marked(fek("aes-256-gcm"), bytes(32))
    envelope = parse(from_ascii((canary_of(record) or "").encode()))
    assert envelope.key_id == record.short_id
    assert len(envelope.body) == 12 + 1 + len(TEXT) + 16


def test_a_mark_that_is_there_stays() -> None:
    record = marked(fek("aes-256-gcm"), bytes(32))
    assert marked(record, bytes(32)) == record


def test_no_value_is_of_the_canarys_family() -> None:
    assert FAMILY not in {row.family for row in TYPES.values()}
    assert associated_data(header("aes-siv", bytes(4)), "x", FAMILY)


async def test_every_new_key_has_one() -> None:
    provider = LocalProvider(bytes(32))
    master = new_record([], KeyType.MASTER, provider.reference, "local", None)
    dek, data_key = await create_dek(new_record([], KeyType.DEK, "t", DEK_ALGORITHM, master), provider)
    record, key = data_key.create(new_record([dek], KeyType.FEK, "t.c", "aes-siv", dek))
    assert opens(canary_of(record) or "", record, key)
    assert canary_of(dek) is None
