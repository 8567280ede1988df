"""Golden vectors: canonical bytes that a released version has written are read and made the same way forever.

Made once with PostgreSQL 16 and 18, which agree on all of them. Never change one; add new ones beside them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policy.types import TYPES, LogicalType
from tests.values.support import ISO, codec_of

FILES = sorted((Path(__file__).parent / "vectors").glob("*.json"))
VECTORS = [vector for file in FILES for vector in json.loads(file.read_text())]


def name(vector: dict[str, str]) -> str:
    return f"{vector['type']} {vector['text'][:30]}"


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_text_and_binary_become_these_canonical_bytes(vector: dict[str, str]) -> None:
    codec = codec_of(vector["type"])
    canonical = bytes.fromhex(vector["canonical"])
    assert codec.from_text(vector["text"].encode(), ISO) == canonical
    assert codec.from_text(vector["printed"].encode(), ISO) == canonical
    assert codec.from_binary(bytes.fromhex(vector["binary"]), ISO) == canonical


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_canonical_bytes_are_printed_and_sent_as_the_server_does(vector: dict[str, str]) -> None:
    codec = codec_of(vector["type"])
    canonical = bytes.fromhex(vector["canonical"])
    assert codec.to_text(canonical, ISO).decode() == vector["printed"]
    assert codec.to_binary(canonical, ISO) == bytes.fromhex(vector["binary"])
    if codec.text_is_canonical:
        assert canonical.decode() == vector["printed"]
    if codec.binary_is_canonical:
        assert canonical == bytes.fromhex(vector["binary"])


def test_every_type_and_an_array_of_each_has_a_vector() -> None:
    covered = {LogicalType.parse(vector["type"]) for vector in VECTORS}
    for type_name in TYPES:
        for array in (False, True):
            assert any(t.name == type_name and t.array == array for t in covered), (type_name, array)
