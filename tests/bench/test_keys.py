"""What is measured of keys is done: every algorithm, and a keystore with more than one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import keys
from crypto.envelope import SUITES
from crypto.keyset import KeyState, KeyType
from crypto.keystore_file import FileKeystore


@pytest.mark.parametrize("algorithm", SUITES)
def test_a_value_costs_something(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "VALUES", 200)
    assert min(keys.value_cost(algorithm, rounds=1)) > 0


async def test_a_keystore_holds_what_was_made_and_rotated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def make() -> FileKeystore:
        return FileKeystore(tmp_path / "keystore.json", keys.PROVIDER)

    await keys.keystore_cost(make, 45)
    records = await make().read()
    feks = [record for record in records if record.key_type is KeyType.FEK]
    assert sum(record.state is KeyState.ACTIVE for record in feks) == 45
    assert sum(record.state is KeyState.RETIRING for record in feks) == 1
    assert "the keys of 45 fields in 3 tables, made at once" in capsys.readouterr().out
