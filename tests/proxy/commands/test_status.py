"""`pgveil status`: all is well, something is overdue, something is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crypto.keyset import KeyType
from crypto.nonces import WARN_AT
from tests.proxy.commands.key_site import NOTE, KeySite


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> KeySite:
    site = KeySite(tmp_path, capsys)
    assert site.run("keys", "init")[0] == 0
    site.sealed()
    return site


def test_all_is_well(site: KeySite) -> None:
    code, output, errors = site.run("status")
    assert (code, errors) == (0, "")
    assert "keys/master.key" in output
    assert "usable" in output
    assert "public.users.note" in output
    assert "to do       public.users.later has no key yet" in output
    status = site.json("status")
    assert status["findings"] == []
    by_field = {row["field"]: row for row in status["fields"]}
    note = by_field["public.users.note"]
    assert (note["version"], note["mode"], note["overdue"]) == (1, "randomized", False)
    assert note["encryptions"] == 64
    assert note["budget"] == 1 << 32
    assert by_field["public.users.email"]["next_rotation"] == "needs its values moved"
    assert "version" not in by_field["public.users.later"]


def test_what_is_overdue_is_found(site: KeySite) -> None:
    """A deterministic key is not: nothing can be done about it yet."""
    site.age(31)
    code, output, _ = site.run("status")
    assert code == 1
    assert output.count("problem ") == 1
    assert "problem     fek 'public.users.note' version 1 is overdue since" in output
    site.age(400)
    status = site.json("status")
    overdue = status["findings"]
    assert sorted(finding.split(" version")[0] for finding in overdue) == [
        "dek 'contact'",
        "dek 'public.users'",
        "fek 'public.users.note'",
        f"master {status['master_key']['name']!r}",
    ]
    assert any("does not do by itself: pgveil rotate --master" in finding for finding in overdue)


def test_a_key_near_the_end_of_its_budget(site: KeySite) -> None:
    site.change(lambda r: r.counted(WARN_AT) if r.name == NOTE.name else r)
    code, output, _ = site.run("status")
    assert code == 1
    assert f"has encrypted {WARN_AT + 64} values: pgveil rotate --field" in output


def test_what_remains_after_a_rotation(site: KeySite) -> None:
    site.run("rotate", "--all", "--emergency")
    site.run("rotate", "--master")
    status = site.json("status")
    assert any("--master --finish" in text for text in status["remaining"])
    assert any("fek 'contact' version 2 is pending" in text for text in status["remaining"])
    assert any(
        "dek 'contact' version 1 was replaced and is to be destroyed" in t for t in status["remaining"]
    )
    assert any("is compromised, and encrypts" in text for text in status["findings"])
    compromised = {row["field"]: row["compromised"] for row in status["fields"]}
    assert compromised["public.users.note"] == [1]


def test_a_record_that_was_altered_is_found(site: KeySite) -> None:
    site.change(lambda r: replace(r, key_hash=bytes(32)) if r.key_type is KeyType.FEK else r)
    code, output, _ = site.run("status")
    assert code == 1
    assert "does not open: its record was altered" in output


def test_a_keystore_that_cannot_be_read(site: KeySite) -> None:
    (site.directory / "keys" / "keystore.json").unlink()
    code, output, _ = site.run("status")
    assert code == 1
    assert "CANNOT BE READ" in output
    assert "has no key yet" not in output
