"""Files that hold secrets: who may read them, and passphrases in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crypto.errors import ProviderError
from crypto.private_file import passphrase_from
from crypto.providers.local import create, load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


def written(path: Path, content: bytes | str) -> Path:
    """A file, mode 0600."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


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
