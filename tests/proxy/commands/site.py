"""A directory with a configuration, and a person who types `pgveil keys …` in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from crypto.assembly import open_manager
from crypto.manager import KeyNeed
from proxy import cli


@dataclass
class Site:
    """Its files, and what its commands say."""

    directory: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def key_file(self) -> Path:
        return self.directory / "keys" / "master.key"

    @property
    def keystore(self) -> Path:
        return self.directory / "keys" / "keystore.json"

    def configure(self, keys: str) -> None:
        (self.directory / "pgveil.yaml").write_text(
            "upstream: postgresql://127.0.0.1:5432\n"
            "maintenance: postgresql://pgveil@127.0.0.1:5432/app\n"
            f"keys: {keys}\n"
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors of `pgveil keys`."""
        action, *options = arguments
        config = str(self.directory / "pgveil.yaml")
        code = cli.main(["keys", "--config", config, action, *options])
        output = self.capsys.readouterr()
        return code, output.out, output.err


def use(site: Site, *needs: KeyNeed) -> dict[KeyNeed, bytes]:
    """What a proxy does with its keys: a value under each."""
    sealed: dict[KeyNeed, bytes] = {}

    async def run() -> None:
        manager = open_manager(key_file=site.key_file, keystore_file=site.keystore)
        await manager.load()
        ring = await manager.ensure(needs)
        for need in needs:
            key = ring.active(need.name, need.algorithm)
            assert key is not None
            sealed[need] = key.sealer("text")(b"value")
        await manager.close()

    asyncio.run(run())
    return sealed


def reads(site: Site, values: dict[KeyNeed, bytes]) -> bool:
    """Whether a proxy reads these values there."""

    async def run() -> bool:
        manager = open_manager(key_file=site.key_file, keystore_file=site.keystore)
        ring = await manager.refresh()
        await manager.close()
        return all(
            ring.opener(need.name, need.algorithm, "text")(sealed) == b"value"
            for need, sealed in values.items()
        )

    return asyncio.run(run())
