"""Does this keystore belong to this database? What each of the two knows of the other tells."""

from __future__ import annotations

from dataclasses import replace

from crypto.acquaintance import Comparison, Known, compare, remember
from crypto.keyring import Keyring
from crypto.keyset import KeyState, KeyType
from tests.crypto.exports import EMAIL, PHONE, QUERY, Site, lived_in


def remembered(site: Site) -> list[Known]:
    """A database that was written with the site's keys."""
    return [known for record in site.keystore.records if (known := remember(record)) is not None]


async def compared(site: Site, known: list[Known]) -> Comparison:
    return compare(site.keystore.records, await site.manager.refresh(), known)


async def test_they_belong_together() -> None:
    site = await lived_in()
    known = remembered(site)
    assert len(known) == 4
    assert await compared(site, known) == Comparison((), (), (), 4)
    site.destroy(QUERY.name)  # a key that was destroyed is not one that is missing
    assert await compared(site, known) == Comparison((), (), (), 4)


async def test_an_older_copy_of_the_keystore() -> None:
    site = await lived_in()
    known = remembered(site)
    site.keystore.lose(*(r for r in site.keystore.records if (r.name, r.version) == (EMAIL.name, 2)))
    found = await compared(site, known)
    assert [str(key) for key in found.missing] == ["fek 'public.users.email' version 2"]
    assert (found.strange, found.unknown) == ((), ())


async def test_the_keystore_of_somebody_else() -> None:
    here, elsewhere = await lived_in(), await lived_in()
    found = await compared(here, remembered(elsewhere))
    assert len(found.missing) == len(found.unknown) == 4


async def test_a_key_of_the_same_id_that_is_another_one() -> None:
    """By the fingerprint, also while no key can be opened; by the canary, whatever the record says."""
    site, other = await lived_in(), await lived_in()
    known = remembered(site)
    theirs = {(one.name, one.version): one for one in remembered(other)}
    forged = [replace(one, fingerprint=theirs[one.name, one.version].fingerprint) for one in known]
    assert compare(site.keystore.records, Keyring(), forged).strange == tuple(forged)
    forged = [replace(one, canary=theirs[one.name, one.version].canary) for one in known]
    assert compare(site.keystore.records, Keyring(), forged).strange == ()
    assert (await compared(site, forged)).strange == tuple(forged)
    assert (await compared(site, [replace(one, name="public.x.y") for one in known])).missing == ()


async def test_an_older_dump_of_the_database() -> None:
    site = await lived_in()
    known = [one for one in remembered(site) if one.name != PHONE.name]
    found = await compared(site, known)
    assert [str(record) for record in found.unknown] == ["fek 'public.users.phone' version 1"]
    assert (found.missing, found.strange) == ((), ())


async def test_a_key_that_waits_is_not_missed_by_anybody() -> None:
    site = await lived_in()
    [phone] = [record for record in site.keystore.records if record.name == PHONE.name]
    site.keystore.put(replace(phone, state=KeyState.PENDING))
    assert (await compared(site, [])).unknown == tuple(
        r for r in site.keystore.records if r.key_type is KeyType.FEK and r.state is not KeyState.PENDING
    )


async def test_keys_of_an_earlier_release_are_not_remembered() -> None:
    site = await lived_in()
    assert [remember(replace(record, metadata={})) for record in site.keystore.records] == [None] * 8
