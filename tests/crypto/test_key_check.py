"""Every key is proved, and what is wrong with one is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crypto.errors import KeystoreError
from crypto.key_check import repair, verify
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord
from tests.crypto.exports import EMAIL, NEW, PHONE, QUERY, Site, lived_in


def fek(site: Site, name: str) -> KeyRecord:
    """The active version of a field's key."""
    [record] = [r for r in site.keystore.records if r.name == name and r.state is KeyState.ACTIVE]
    return record


async def test_healthy_keys() -> None:
    site = await lived_in()
    proof = await verify(site.keystore, site.provider)
    assert (proof.proved, proof.problems) == (4, ())
    site.destroy(QUERY.name)
    proof = await verify(site.keystore, site.provider)
    assert (proof.proved, proof.problems) == (3, ())


async def test_each_thing_that_can_be_wrong_is_said() -> None:
    site = await lived_in()
    email, phone, query = (fek(site, need.name) for need in (EMAIL, PHONE, QUERY))
    other = {**phone.metadata, "canary": email.metadata["canary"]}
    site.keystore.put(
        replace(email, metadata={**email.metadata, "fingerprint": "00" * 16}),
        replace(phone, metadata=other),
        replace(query, encrypted_key=bytes(61)),
    )
    proof = await verify(site.keystore, site.provider)
    assert proof.proved == 1
    assert sorted(problem.partition(" version")[2] for problem in proof.problems) == [
        " 1 does not open its canary: its record was altered",
        " 1 does not open: its record was altered, or belongs elsewhere",
        " 2 has another fingerprint than its record says: its record was altered",
    ]


async def test_a_data_key_that_does_not_open_takes_its_field_keys_along() -> None:
    site = await lived_in()
    [dek] = [r for r in site.keystore.records if r.name == QUERY.dek]
    site.keystore.put(replace(dek, key_hash=bytes(32)))
    proof = await verify(site.keystore, site.provider)
    assert [str(dek) in problem or "waits for its dek" in problem for problem in proof.problems] == [True] * 2
    with pytest.raises(KeystoreError, match="does not open"):
        await site.exported()  # no backup that lacks something


async def test_another_master_key() -> None:
    site = await lived_in()
    with pytest.raises(KeystoreError, match="belongs to master key"):
        await verify(site.keystore, NEW)


async def test_keys_of_an_earlier_release_are_given_a_canary() -> None:
    site = await lived_in()
    site.keystore.put(*(replace(r, metadata={}) for r in site.keystore.records if r.key_type is KeyType.FEK))
    proof = await verify(site.keystore, site.provider)
    assert [problem.endswith("run pgveil keys verify --repair") for problem in proof.problems] == [True] * 4
    assert await repair(site.keystore, site.provider) == 4
    before = site.keystore.records
    assert (await verify(site.keystore, site.provider)).problems == ()
    assert await repair(site.keystore, site.provider) == 0
    assert site.keystore.records == before
