"""The master key file: who may read it, what may be wrong with it, and sealing it with a passphrase."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from crypto.errors import ProviderError
from crypto.providers import local
from crypto.providers.local import LocalProvider, create, load, passphrase_from

PASSPHRASE = b"correct horse battery staple"


@pytest.fixture(autouse=True)
def quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "SCRYPT_N", 1 << 10)


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


async def test_what_one_process_wraps_another_unwraps(path: Path) -> None:
    made = create(path)
    wrapped = await made.wrap(b"a data encryption key", b"context")
    again = load(path)
    assert await again.unwrap(wrapped, b"context") == b"a data encryption key"
    assert again.reference == made.reference
    await again.close()


async def test_another_master_key_or_context_does_not_unwrap(path: Path) -> None:
    wrapped = await create(path).wrap(b"key", b"context")
    with pytest.raises(ProviderError, match="another master key"):
        await LocalProvider(bytes(32)).unwrap(wrapped, b"context")
    with pytest.raises(ProviderError):
        await load(path).unwrap(wrapped, b"other")


def test_the_reference_names_the_key_and_tells_nothing(path: Path) -> None:
    assert LocalProvider(bytes(32)).reference == LocalProvider(bytes(32)).reference
    assert LocalProvider(bytes(32)).reference != LocalProvider(bytes([1]) * 32).reference
    create(path)
    key = base64.b64decode(json.loads(path.read_bytes())["key"])
    fingerprint = load(path).reference.removeprefix("local:")
    assert len(bytes.fromhex(fingerprint)) == 8
    assert bytes.fromhex(fingerprint) not in key


def test_a_frozen_key_file_is_read_for_ever(path: Path) -> None:
    assert load(written(path, PLAIN)).reference == "local:a1b3c744af617c7d"


def test_a_new_file_is_its_owners_alone_and_never_overwritten(path: Path) -> None:
    reference = create(path).reference
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ProviderError, match="never overwritten"):
        create(path)
    assert load(path).reference == reference


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o602, 0o644, 0o777])
def test_a_file_that_others_can_use_is_refused(path: Path, mode: int) -> None:
    create(path)
    path.chmod(mode)
    with pytest.raises(ProviderError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: can be used by others (mode {mode:04o}); chmod 600 it"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read(path: Path, mode: int) -> None:
    reference = create(path).reference
    path.chmod(mode)
    assert load(path).reference == reference


@pytest.mark.parametrize(
    ("owner", "user", "mode", "accepted"),
    [
        (0, 1000, 0o440, True),  # root's, read through a group
        (0, 1000, 0o640, True),
        (0, 1000, 0o444, False),
        (0, 1000, 0o660, False),
        (0, 1000, 0o604, False),
        (0, 0, 0o640, False),
        (1000, 1000, 0o440, False),
        (1000, 1000, 0o400, True),
        (1001, 1000, 0o600, False),
        (1001, 0, 0o600, False),
    ],
)
def test_who_may_own_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, user: int, mode: int, accepted: bool
) -> None:
    reference = create(path).reference
    status = os.stat_result((0o100000 | mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", lambda _: status)
        patch.setattr(os, "geteuid", lambda: user)
        if accepted:
            assert load(path).reference == reference
        else:
            with pytest.raises(ProviderError, match=r"can be used by others|must belong to"):
                load(path)


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
    ("content", "passphrase"),
    [
        (b"secret", b"secret"),
        (b"secret\n", b"secret"),
        (b"secret\r\n", b"secret"),
        (b" secret \n\n", b" secret \n"),
    ],
)
def test_a_passphrase_file_loses_one_line_end(tmp_path: Path, content: bytes, passphrase: bytes) -> None:
    assert passphrase_from(written(tmp_path / "passphrase", content))() == passphrase


def test_a_bad_passphrase_file(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    with pytest.raises(ProviderError, match="no such file"):
        passphrase_from(path)()
    with pytest.raises(ProviderError, match="the passphrase is empty"):
        passphrase_from(written(path, "\n"))()
    written(path, "secret").chmod(0o644)
    with pytest.raises(ProviderError, match="can be used by others"):
        passphrase_from(path)()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "SECRETSECRET",
        b"\xff\xfe",
        "[]",
        '"SECRET"',
        "{}",
        {**PLAIN, "format": "another"},
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
        load(written(path, {**PLAIN, "version": 2}))


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
