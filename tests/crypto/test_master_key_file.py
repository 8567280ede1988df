"""The master key file: what may be wrong with it, sealing it with a passphrase, and its rotation."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from crypto import master_key_file
from crypto.errors import ProviderError
from crypto.master_key_file import activate_next, add_next, drop_previous, read
from crypto.providers.local import create, load

PASSPHRASE = b"correct horse battery staple"


@pytest.fixture(autouse=True)
def quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_key_file, "SCRYPT_N", 1 << 10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


def written(path: Path, content: bytes | str | dict[str, Any]) -> Path:
    """A file, mode 0600."""
    data = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    path.chmod(0o600)
    return path


PLAIN = {
    "format": "pgveil-master-key",
    "version": 1,
    "protection": "none",
    "key": base64.b64encode(bytes(range(32))).decode(),
}


def test_a_frozen_key_file_is_read_for_ever(path: Path) -> None:
    assert load(written(path, PLAIN)).reference == "local:a1b3c744af617c7d"


def test_a_new_file_is_its_owners_alone_and_never_overwritten(path: Path) -> None:
    reference = create(path).reference
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ProviderError, match="never overwritten"):
        create(path)
    assert load(path).reference == reference


def test_a_sealed_key_opens_with_its_passphrase(path: Path) -> None:
    made = create(path, lambda: PASSPHRASE)
    assert set(json.loads(path.read_bytes())) == {
        "format", "version", "protection", "n", "r", "p", "salt", "sealed_key"
    }  # fmt: skip
    assert load(path, lambda: PASSPHRASE).reference == made.reference


def test_a_sealed_key_does_not_open_without(path: Path) -> None:
    create(path, lambda: PASSPHRASE)
    with pytest.raises(ProviderError, match="is sealed; its passphrase is needed"):
        load(path)
    with pytest.raises(ProviderError) as caught:
        load(path, lambda: b"wrong guess")
    assert str(caught.value) == f"{path}: wrong passphrase"


def test_the_passphrase_is_asked_only_for_a_sealed_key(path: Path) -> None:
    create(path)

    def ask() -> bytes:
        raise AssertionError("asked")

    load(path, ask)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "SECRETSECRET",
        b"\xff\xfe",
        "[]",
        '{"format":' * 5_000,
        '"SECRET"',
        "{}",
        {**PLAIN, "format": "another"},
        {**PLAIN, "version": 2},
        {"format": PLAIN["format"], "version": 2, "keys": [PLAIN], "second": "next"},
        {"format": PLAIN["format"], "version": 2, "keys": [PLAIN, PLAIN], "second": "SECRET"},
        {"format": PLAIN["format"], "version": 2, "keys": [PLAIN, "SECRET"], "second": "next"},
        {**PLAIN, "key": "SECRET!!"},
        {**PLAIN, "key": base64.b64encode(b"SECRET").decode()},
        {**PLAIN, "key": None},
        {**PLAIN, "protection": "another"},
        {**PLAIN, "protection": "scrypt"},
        {**PLAIN, "protection": "scrypt", "n": "x", "r": 8, "p": 1, "salt": "", "sealed_key": ""},
        {**PLAIN, "protection": "scrypt", "n": 1 << 40, "r": 8, "p": 1, "salt": "", "sealed_key": ""},
        {**PLAIN, "protection": "scrypt", "n": -2, "r": -8, "p": 1, "salt": "", "sealed_key": ""},
        {**PLAIN, "protection": "scrypt", "n": 1000, "r": 8, "p": 1, "salt": "", "sealed_key": ""},
    ],
    ids=lambda content: str(content)[:60],
)
def test_a_malformed_file_is_one_line_that_repeats_nothing(
    path: Path, content: bytes | dict[str, Any]
) -> None:
    with pytest.raises(ProviderError) as caught:
        load(written(path, content), lambda: PASSPHRASE)
    assert str(caught.value) == f"{path}: is not a master key file of pgveil"
    assert caught.value.__cause__ is None


def test_a_later_versions_file(path: Path) -> None:
    with pytest.raises(ProviderError, match="later version"):
        load(written(path, {**PLAIN, "version": 3}))


def test_no_file_a_directory_and_a_huge_one(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="there is no master key: run pgveil keys init"):
        load(tmp_path / "none")
    with pytest.raises(ProviderError, match="Is a directory"):
        load(tmp_path)
    with pytest.raises(ProviderError, match="larger than"):
        load(written(tmp_path / "huge", bytes(1 << 17)))
    with pytest.raises(ProviderError, match="not a regular file"):
        load(Path("/dev/null"))


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="No such file or directory"):
        create(tmp_path / "none" / "master.key")


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "sealed"])
def test_a_rotation_goes_by_steps_that_may_be_repeated(path: Path, passphrase: bytes | None) -> None:
    ask = None if passphrase is None else lambda: passphrase
    create(path, ask)
    old = read(path, ask).active
    for _ in range(2):
        add_next(path, ask)
        keys = read(path, ask)
        assert (keys.active, keys.previous) == (old, None)
    new = keys.next
    assert new is not None
    assert new != old
    for _ in range(2):
        activate_next(path)
        keys = read(path, ask)
        assert (keys.active, keys.next, keys.previous) == (new, None, old)
    with pytest.raises(ProviderError, match="still holds the previous master key"):
        add_next(path, ask)
    for _ in range(2):
        drop_previous(path)
        keys = read(path, ask)
        assert (keys.active, keys.next, keys.previous) == (new, None, None)
    assert json.loads(path.read_bytes())["version"] == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_sealed_file_takes_a_second_key_only_with_its_passphrase(path: Path) -> None:
    create(path, lambda: PASSPHRASE)
    before = path.read_bytes()
    with pytest.raises(ProviderError, match="its passphrase is needed"):
        add_next(path)
    with pytest.raises(ProviderError, match="wrong passphrase"):
        add_next(path, lambda: b"wrong guess")
    assert path.read_bytes() == before


def test_the_steps_out_of_turn_change_nothing(path: Path) -> None:
    create(path)
    before = path.read_bytes()
    activate_next(path)
    drop_previous(path)
    assert path.read_bytes() == before
    add_next(path)
    before = path.read_bytes()
    drop_previous(path)
    assert path.read_bytes() == before


def test_keys_are_not_shown(path: Path) -> None:
    create(path)
    assert repr(read(path)) == "<MasterKeys>"
