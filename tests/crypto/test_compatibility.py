"""What an earlier release has written is read for ever: a keystore, its master key, and values.

The files were made by version 0.1. Never change them; add others beside them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from crypto.assembly import open_manager

VECTORS = Path(__file__).parent / "vectors"


@pytest.mark.parametrize("master_key", ["master-key-v1.json", "master-key-sealed-v1.json"])
async def test_version_1(tmp_path: Path, master_key: str) -> None:
    for name in (master_key, "keystore-v1.json"):
        shutil.copy(VECTORS / name, tmp_path)
        (tmp_path / name).chmod(0o600)
    manager = open_manager(
        key_file=tmp_path / master_key,
        ask_passphrase=lambda: b"correct horse battery staple",
        keystore_file=tmp_path / "keystore-v1.json",
    )
    ring = await manager.refresh()
    values = json.loads((VECTORS / "keystore-v1-values.json").read_bytes())
    assert [case["algorithm"] for case in values] == ["aes-256-gcm", "chacha20-poly1305", "aes-siv"]
    for case in values:
        opener = ring.ascii_opener(case["name"], case["algorithm"], case["family"])
        assert opener(case["stored"].encode()).decode() == case["value"]
    assert manager.problems == {}
    await manager.close()
