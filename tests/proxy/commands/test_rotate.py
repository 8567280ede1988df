"""`pgveil rotate` as a person meets it: what changes, what is said of it; and every value still opens."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from crypto import master_key_file
from crypto.envelope import key_id
from crypto.keyset import KeyState, KeyType
from crypto.keystore_file import FileKeystore
from tests.proxy.commands.key_site import EMAIL, NOTE, PHONE, KeySite


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> KeySite:
    monkeypatch.setattr(master_key_file, "SCRYPT_N", 1 << 10)
    monkeypatch.setattr("crypto.rotation.SETTLE", 0)
    site = KeySite(tmp_path, capsys)
    assert site.run("keys", "init")[0] == 0
    return site


def states(site: KeySite, name: str, key_type: KeyType = KeyType.FEK) -> list[str]:
    """The states of a name's versions, the first one first."""
    found = [r for r in site.records() if r.name == name and r.key_type is key_type]
    return [record.state.value for record in sorted(found, key=lambda record: record.version)]


@pytest.mark.parametrize("written", ["users.note", "public.users.note"])
def test_a_field_gets_a_new_version(site: KeySite, written: str) -> None:
    before = site.sealed()
    code, output, _ = site.run("rotate", "--field", written)
    assert code == 0
    after = site.sealed()
    old, new = key_id(before[NOTE]).hex(), key_id(after[NOTE]).hex()
    assert output == f"fek     public.users.note  aes-256-gcm  version 1 ({old}) -> version 2 ({new})\n"
    assert old != new
    assert before[EMAIL] == after[EMAIL]
    assert site.opens(before)
    assert site.opens(after)


def test_a_deterministic_field_waits_for_its_values_to_move(site: KeySite) -> None:
    before = site.sealed()
    for _ in range(2):
        code, output, _ = site.run("rotate", "--field", "contact")
        assert code == 0
        assert ", pending\n        pending: equal values need one ciphertext" in output
        assert states(site, "contact") == ["active", "pending"]
    assert site.sealed()[PHONE] == before[PHONE]


def test_a_table_gets_a_new_data_key_and_its_fields_stay(site: KeySite) -> None:
    before = site.sealed()
    code, output, _ = site.run("rotate", "--table", "users")
    assert code == 0
    assert "dek     public.users" in output
    assert "2 field keys wrapped by it" in output
    assert key_id(site.sealed()[NOTE]) == key_id(before[NOTE])
    assert states(site, "public.users", KeyType.DEK) == ["retiring", "active"]
    assert site.opens(before)


def test_all_of_it(site: KeySite) -> None:
    before = site.sealed()
    rows = site.json("rotate", "--all")["keys"]
    assert [(row["type"], row["name"], row["to"]["version"], row["to"]["state"]) for row in rows] == [
        ("dek", "contact", 2, "active"),
        ("dek", "public.users", 2, "active"),
        ("fek", "public.users.email", 2, "pending"),
        ("fek", "public.users.note", 2, "active"),
        ("fek", "contact", 2, "pending"),
    ]
    assert site.opens(before)


def test_a_dry_run_says_the_same_and_changes_nothing(site: KeySite) -> None:
    site.sealed()
    before = site.records()
    for what in (["--all"], ["--field", "users.note", "--emergency"], ["--table", "contact"], ["--master"]):
        code, output, _ = site.run("rotate", *what, "--dry-run")
        assert code == 0
        assert output.endswith("nothing was changed\n")
        assert all("id" not in row["to"] for row in site.json("rotate", *what, "--dry-run")["keys"])
    assert site.records() == before
    assert master_key_file.read(site.key_file).next is None


def test_in_an_emergency_everything_that_may_be_known_is_replaced(site: KeySite) -> None:
    """Also a version that was pending: whoever knows the data key knows it."""
    before = site.sealed()
    site.run("rotate", "--field", "users.email")
    code, _, _ = site.run("rotate", "--table", "users", "--emergency")
    assert code == 0
    found = {(r.name, r.version): r for r in site.records() if r.key_type is not KeyType.MASTER}
    marked = {place for place, record in found.items() if record.metadata.get("compromised")}
    assert marked == {("public.users", 1), (EMAIL.name, 1), (NOTE.name, 1)}
    assert found[EMAIL.name, 2].state is KeyState.DESTROYED
    assert found[EMAIL.name, 3].state is KeyState.PENDING
    dek = found["public.users", 2]
    assert {found[EMAIL.name, 3].parent_id, found[NOTE.name, 2].parent_id} == {dek.id}
    assert site.opens(before)
    assert key_id(site.sealed()[NOTE]) == found[NOTE.name, 2].short_id


def test_the_master_key_of_a_file(site: KeySite) -> None:
    """Whoever has an old copy of the file works on until the rotation is finished."""
    before = site.sealed()
    old = shutil.copy2(site.key_file, site.directory / "old.key")
    code, output, _ = site.run("rotate", "--master")
    assert code == 0
    assert "--finish" in output
    assert site.opens(before, Path(old))
    assert site.opens(before)
    code, _, errors = site.run("rotate", "--master")
    assert code == 2
    assert "run pgveil rotate --master --finish first" in errors
    for _ in range(2):
        code, output, _ = site.run("rotate", "--master", "--finish")
        assert code == 0
        assert "2 data keys are wrapped by it alone" in output
    assert site.opens(before)
    with pytest.raises(Exception, match="wrapped by another master key"):
        site.opens(before, Path(old))
    assert site.run("rotate", "--master")[0] == 0


def test_a_sealed_master_key_takes_its_passphrase_from_a_file(site: KeySite) -> None:
    (site.directory / "passphrase").write_text("correct horse")
    (site.directory / "passphrase").chmod(0o600)
    site.configure("sealed.yaml", "sealed/master.key", ", passphrase_file: passphrase")
    for name in ("keystore.json", "keystore.json.lock"):
        (site.directory / "keys" / name).unlink()
    assert site.run("keys", "init", config="sealed.yaml")[0] == 0
    assert site.run("rotate", "--master", config="sealed.yaml")[0] == 0
    assert site.run("rotate", "--master", "--finish", config="sealed.yaml")[0] == 0
    assert site.run("status", config="sealed.yaml")[0] == 0
    assert b"scrypt" in (site.directory / "sealed" / "master.key").read_bytes()


def test_another_master_key_takes_its_place(site: KeySite) -> None:
    before = site.sealed()
    new = site.directory / "new.key"
    master_key_file.create(new)
    site.configure("new.yaml", "new.key")
    other = str(site.directory / "new.yaml")
    assert "would be rotated" in site.run("rotate", "--master", "--to", other, "--dry-run")[1]
    code, output, _ = site.run("rotate", "--master", "--to", other)
    assert code == 0
    assert "now give every pgveil its configuration" in output
    assert site.opens(before)
    assert site.opens(before, new)
    assert site.run("rotate", "--master", "--finish", "--to", other)[0] == 0
    assert site.opens(before, new)
    with pytest.raises(Exception, match="wrapped by another master key"):
        site.opens(before)
    assert site.run("status", config="new.yaml")[0] == 0


def test_another_keystore_is_no_place_for_its_keys(site: KeySite) -> None:
    master_key_file.create(site.directory / "new.key")
    other = site.directory / "elsewhere"
    other.mkdir()
    (other / "pgveil.yaml").write_text(
        (site.directory / "pgveil.yaml").read_text().replace("keys/master.key", "../new.key")
    )
    code, _, errors = site.run("rotate", "--master", "--to", str(other / "pgveil.yaml"))
    assert code == 2
    assert "names another keystore" in errors


def test_an_emergency_with_another_master_key_can_be_rehearsed(site: KeySite) -> None:
    site.sealed()
    before = site.records()
    master_key_file.create(site.directory / "new.key")
    site.configure("new.yaml", "new.key")
    other = str(site.directory / "new.yaml")
    code, output, _ = site.run("rotate", "--master", "--to", other, "--emergency", "--dry-run")
    assert code == 0
    assert "public.users.note  aes-256-gcm" in output
    assert site.records() == before


def test_what_was_done_before_a_failure_is_told(site: KeySite) -> None:
    site.sealed()
    site.change(lambda r: replace(r, key_hash=bytes(32)) if r.name == NOTE.name else r)
    code, output, errors = site.run("rotate", "--master", "--emergency")
    assert code == 2
    assert "master  local:" in output
    assert "'public.users.note' version 1 does not open" in errors


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--field", "users.nmae"], "--field: the policy has no field 'users.nmae'"),
        (["--table", "orders"], "--table: the policy has no table 'orders' with a data key"),
        (["--all", "--finish"], "--to and --finish go with --master"),
        (["--field", "users.note", "--to", "other.yaml"], "--to and --finish go with --master"),
    ],
)
def test_what_cannot_be_meant(site: KeySite, arguments: list[str], expected: str) -> None:
    site.sealed()
    before = site.records()
    code, output, errors = site.run("rotate", *arguments)
    assert (code, output) == (2, "")
    assert errors == f"pgveil: {expected}\n"
    assert site.records() == before


def test_a_field_without_a_key_is_told(site: KeySite) -> None:
    site.sealed()
    code, output, _ = site.run("rotate", "--field", "users.later", "--field", "users.note")
    assert code == 1
    assert "public.users.later has no key yet: its first value makes one" in output
    assert states(site, "public.users.note") == ["retiring", "active"]


def test_the_number_of_updates_does_not_grow_with_the_keys(
    site: KeySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it takes as long for a thousand fields as for one; and no row of any table is looked at."""
    site.sealed()
    updates = []
    update = FileKeystore.update

    async def counting(self: FileKeystore, change: object) -> object:
        updates.append(change)
        return await update(self, change)  # type: ignore[arg-type]

    monkeypatch.setattr(FileKeystore, "update", counting)
    assert site.run("rotate", "--all")[0] == 0
    assert len(updates) == 3  # data keys; pending field keys; active field keys
    updates.clear()
    assert site.run("rotate", "--all", "--emergency")[0] == 0
    assert len(updates) == 3
