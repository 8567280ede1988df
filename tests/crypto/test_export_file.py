"""The file of an export: whoever has the passphrase or enough shares reads it, and nobody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import export_file
from crypto.errors import ProviderError
from crypto.export_file import ExportFile, seal_for_custodians, seal_with_passphrase
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord
from crypto.plain_keys import PlainKey, from_bytes, to_bytes
from tests.crypto.exports import lived_in

VECTORS = Path(__file__).parent / "vectors"
PASSPHRASE = b"correct horse battery staple"


@pytest.fixture
async def keys() -> tuple[PlainKey, ...]:
    site = await lived_in()
    site.destroy("public.conversations.user_query")
    return await site.exported()


def sealed(keys: tuple[PlainKey, ...]) -> bytes:
    return seal_with_passphrase(keys, PASSPHRASE, n=1 << 4)


def opened(content: bytes) -> tuple[PlainKey, ...]:
    return ExportFile("x", content).open_with_passphrase(lambda: PASSPHRASE)


def test_it_holds_every_key_with_all_that_is_known_of_it(keys: tuple[PlainKey, ...]) -> None:
    assert opened(sealed(keys)) == keys
    kinds = [key.record.key_type for key in keys]
    assert (kinds.count(KeyType.DEK), kinds.count(KeyType.FEK)) == (3, 4)
    assert [key.key is None for key in keys].count(True) == 1


def test_no_key_stands_in_the_file_or_in_a_repr(keys: tuple[PlainKey, ...]) -> None:
    content = sealed(keys) + repr(keys).encode()
    for key in keys:
        if key.key is not None:
            assert key.key not in content
            assert base64.b64encode(key.key) not in content
            assert key.key.hex().encode() not in content


def test_another_passphrase(keys: tuple[PlainKey, ...]) -> None:
    with pytest.raises(ProviderError, match=r"^x: does not open: wrong passphrase, or the file was altered$"):
        ExportFile("x", sealed(keys)).open_with_passphrase(lambda: b"wrong")


def test_shares_instead_of_a_passphrase(keys: tuple[PlainKey, ...]) -> None:
    content, words = seal_for_custodians(keys, 5, 3)
    export = ExportFile("x", content)
    assert export.open_with_shares(dict(enumerate_text(words[2:]))) == keys
    with pytest.raises(ProviderError, match="3 different shares are needed, and 2 are given"):
        export.open_with_shares(dict(enumerate_text(words[:2])))
    with pytest.raises(ProviderError, match=r"^x: is sealed for custodians; 3 shares are needed$"):
        export.open_with_passphrase(lambda: PASSPHRASE)
    with pytest.raises(ProviderError, match=r"^x: is sealed with a passphrase, not for custodians$"):
        ExportFile("x", sealed(keys)).open_with_shares(dict(enumerate_text(words)))


def enumerate_text(words: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(str(number), text) for number, text in enumerate(words)]


@settings(max_examples=300)
@given(data=st.data())
def test_whatever_byte_is_altered_nothing_else_comes_out(data: st.DataObject) -> None:
    """A changed white space changes nothing; anything else is refused."""
    content, keys = _EXAMPLE
    place = data.draw(st.integers(0, len(content) - 1))
    altered = bytearray(content)
    altered[place] ^= data.draw(st.integers(1, 255))
    try:
        found = opened(bytes(altered))
    except ProviderError:
        return
    assert found == keys


def test_every_bit_of_what_is_not_sealed_counts() -> None:
    content, _ = _EXAMPLE
    end = content.index(b'"sealed"')
    for place in range(end):
        for bit in range(8):
            altered = bytearray(content)
            altered[place] ^= 1 << bit
            with pytest.raises(ProviderError):
                opened(bytes(altered))


def test_a_file_that_is_cut_short() -> None:
    content, _ = _EXAMPLE
    for length in range(0, len(content) - 2, 7):
        with pytest.raises(ProviderError, match="is not an export of pgveil"):
            opened(content[:length])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "is of a later version of pgveil"),
        ({"format": "pgveil-keystore"}, "is not an export of pgveil"),
        ({"protection": "none"}, "is not an export of pgveil"),
        ({"n": 1 << 40}, "is not an export of pgveil"),
        ({"sealed": "!"}, "is not an export of pgveil"),
    ],
)
def test_what_is_no_export(change: dict[str, Any], told: str) -> None:
    content = json.dumps({**json.loads(_EXAMPLE[0]), **change}).encode()
    with pytest.raises(ProviderError, match=told):
        opened(content)


def test_the_file_is_private_and_overwrites_nothing(tmp_path: Path, keys: tuple[PlainKey, ...]) -> None:
    path = tmp_path / "keys.export"
    export_file.write(path, sealed(keys))
    assert path.stat().st_mode & 0o777 == 0o600
    assert export_file.read(path).open_with_passphrase(lambda: PASSPHRASE) == keys
    with pytest.raises(ProviderError, match="exists already; an export never overwrites a file"):
        export_file.write(path, b"")
    path.chmod(0o644)
    with pytest.raises(ProviderError, match="can be used by others"):
        export_file.read(path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"keys": [{}]}', b'{"keys": 1}', b"\xff", b"[" * 20_000]
)
def test_content_that_is_none(content: bytes) -> None:
    with pytest.raises(ValueError):
        from_bytes(content)


# --- the format, for ever: these files are never made anew -----------------------------------------------


@pytest.mark.parametrize("protection", ["passphrase", "shares"])
def test_version_1(protection: str) -> None:
    export = ExportFile("x", (VECTORS / f"key-export-{protection}-v1.json").read_bytes())
    if protection == "passphrase":
        keys = export.open_with_passphrase(lambda: PASSPHRASE)
    else:
        words = (VECTORS / "key-export-shares-v1.words").read_text().splitlines()
        keys = export.open_with_shares(dict(enumerate_text(tuple(words[1:]))))
    assert json.loads(to_bytes(keys)) == json.loads((VECTORS / "key-export-v1-content.json").read_bytes())


def test_version_1_by_the_page_alone() -> None:
    """Opened with nothing of pgveil, as docs/envelope.md says."""
    document = json.loads((VECTORS / "key-export-passphrase-v1.json").read_bytes())
    sealed = base64.b64decode(document.pop("sealed"))
    key = hashlib.scrypt(
        PASSPHRASE,
        salt=base64.b64decode(document["salt"]),
        n=document["n"],
        r=document["r"],
        p=document["p"],
        maxmem=1 << 28,
        dklen=32,
    )
    extracted = hmac.digest(bytes(32), key, "sha256")
    wrapping = hmac.digest(extracted, b"pgveil v1 wrapping\x01", "sha256")
    head = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    assert sealed[0] == 1
    content = AESGCM(wrapping).decrypt(sealed[1:13], sealed[13:], b"pgveil v1 key export" + head)
    assert json.loads(content) == json.loads((VECTORS / "key-export-v1-content.json").read_bytes())


_DEK = KeyRecord(UUID(int=1 << 100), KeyType.DEK, "public.users", 1, None, "aes-256-gcm", KeyState.ACTIVE)
_KEYS = (PlainKey(_DEK, bytes(range(32))),)
_EXAMPLE = (sealed(_KEYS), _KEYS)
