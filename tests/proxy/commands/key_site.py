"""A directory with a configuration, a policy and keys, and a person who types commands in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto.assembly import open_manager
from crypto.keystore import KeyRecord, Records
from crypto.manager import KeyManager, KeyNeed
from proxy import cli

EMAIL = KeyNeed("public.users.email", "public.users", "aes-siv")
NOTE = KeyNeed("public.users.note", "public.users", "aes-256-gcm")
PHONE = KeyNeed("contact", "contact", "aes-siv")

POLICY = """\
version: 1
classes:
  secret: {mode: randomized}
  lookup: {mode: deterministic}
tables:
  users:
    email: lookup
    note:  secret
    phone: {class: lookup, key: contact}
    later: secret
"""


@dataclass
class KeySite:
    directory: Path
    capsys: pytest.CaptureFixture[str]

    def __post_init__(self) -> None:
        (self.directory / "policy.yaml").write_text(POLICY)
        self.configure("pgveil.yaml", "keys/master.key")

    def configure(self, name: str, key_file: str, more: str = "") -> None:
        (self.directory / name).write_text(
            "upstream: postgresql://127.0.0.1:5432\n"
            "maintenance: postgresql://pgveil@127.0.0.1:5432/app\n"
            f"keys: {{local: {{file: {key_file}{more}}}}}\n"
        )

    @property
    def key_file(self) -> Path:
        return self.directory / "keys" / "master.key"

    def run(self, command: str, *arguments: str, config: str = "pgveil.yaml") -> tuple[int, str, str]:
        """Exit code, output and errors."""
        code = cli.main([command, "--config", str(self.directory / config), *arguments])
        output = self.capsys.readouterr()
        return code, output.out, output.err

    def json(self, command: str, *arguments: str) -> Any:
        return json.loads(self.run(command, *arguments, "--json")[1])

    def open(self, work: Callable[[KeyManager], Any], key_file: Path | None = None) -> Any:
        """What `work` makes of an open manager."""

        async def run() -> Any:
            manager = open_manager(
                key_file=key_file or self.key_file, keystore_file=self.directory / "keys" / "keystore.json"
            )
            await manager.load()
            await manager.ensure([EMAIL, NOTE, PHONE])
            assert manager.problems == {}
            result = work(manager)
            await manager.close()
            return result

        return asyncio.run(run())

    def sealed(self, key_file: Path | None = None) -> dict[KeyNeed, bytes]:
        """A value of every field but the last, under the key of now."""

        def seal(manager: KeyManager, need: KeyNeed) -> bytes:
            key = manager.keyring.active(need.name, need.algorithm)
            assert key is not None
            return key.sealer("text")(b"value")

        found: dict[KeyNeed, bytes] = self.open(
            lambda manager: {need: seal(manager, need) for need in (EMAIL, NOTE, PHONE)}, key_file
        )
        return found

    def opens(self, sealed: dict[KeyNeed, bytes], key_file: Path | None = None) -> bool:
        def work(manager: KeyManager) -> bool:
            return all(
                manager.keyring.opener(need.name, need.algorithm, "text")(value) == b"value"
                for need, value in sealed.items()
            )

        return bool(self.open(work, key_file))

    def records(self) -> Records:
        found: Records = self.open(lambda manager: manager.records)
        return found

    def change(self, change: Callable[[KeyRecord], KeyRecord]) -> None:
        """Change every record behind everybody's back."""

        async def step(records: Records) -> list[KeyRecord]:
            return [change(record) for record in records]

        async def run() -> None:
            manager = open_manager(
                key_file=self.key_file, keystore_file=self.directory / "keys" / "keystore.json"
            )
            await manager.keystore.update(step)
            await manager.close()

        asyncio.run(run())

    def age(self, days: float) -> None:
        self.change(lambda record: replace(record, created_at=record.created_at - timedelta(days=days)))
