"""The provider that has the master key itself: what it wraps, and that it follows its file."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from crypto import master_key_file
from crypto.durable import replace_file
from crypto.errors import ProviderError
from crypto.private_file import read_private
from crypto.providers.local import LocalProvider, create, load, load_next, load_previous


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


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


async def test_a_running_process_follows_the_file_through_a_rotation(path: Path) -> None:
    running = create(path)
    old = running.reference
    assert load_next(path) is None
    master_key_file.add_next(path)
    await running.refresh()
    assert running.reference == old
    following = load_next(path)
    assert following is not None
    master_key_file.activate_next(path)
    await running.refresh()
    assert running.reference == following.reference != old
    previous = load_previous(path)
    assert previous is not None
    assert previous.reference == old
    master_key_file.drop_previous(path)
    assert load_previous(path) is None


async def test_a_file_that_cannot_be_read_again_changes_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = create(path)
    reference = running.reference
    replace_file(path, b"SECRET")
    await running.refresh()
    assert running.reference == reference
    assert "the master key was not read again" in caplog.text
    assert "SECRET" not in caplog.text
    os.unlink(path)
    await running.refresh()
    assert running.reference == reference


async def test_it_tells_of_itself_nothing_that_is_secret(path: Path) -> None:
    provider = create(path)
    await provider.health()
    described = await provider.describe()
    assert described["file"] == str(path)
    assert read_private(path).split(b'"')[-2].decode() not in str(described)
    assert await LocalProvider(bytes(32)).describe() == {"kind": "in memory"}
