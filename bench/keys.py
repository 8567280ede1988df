"""What keys cost: a value under each algorithm, a key that is made or opened, ten thousand fields.

    python -m bench.keys [--fields 10000] [--rounds 5]

Values are sealed and opened in memory, without a session: what an algorithm adds to a value is what the
others show beside it. Keystores are a file and a table of an embedded PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.setting import running_server
from crypto.envelope import SUITES
from crypto.keyring import FieldKey
from crypto.keyset import KeyState
from crypto.keystore import Keystore
from crypto.keystore_file import FileKeystore
from crypto.keystore_table import TableKeystore
from crypto.manager import KeyManager, KeyNeed
from crypto.providers.local import LocalProvider
from crypto.rotation import FieldVersion, Rotator

VALUES = 20_000
VALUE = b"ada.lovelace@example.org"
PROVIDER = LocalProvider(bytes(32))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.keys", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fields", type=int, default=10_000, help="field keys in a keystore")
    parser.add_argument("--rounds", type=int, default=5, help="of which the least counts")
    args = parser.parse_args(arguments)
    print(f"{'a value of 24 bytes, in text form':<36}{'seal, us':>10}{'open, us':>10}")
    for algorithm in SUITES:
        sealing, opening = value_cost(algorithm, args.rounds)
        print(f"{algorithm:<36}{sealing:>10.2f}{opening:>10.2f}")
    with tempfile.TemporaryDirectory() as directory, running_server() as (_, direct):
        keystores: dict[str, Callable[[], Keystore]] = {
            "file": lambda: FileKeystore(Path(directory) / "keystore.json", PROVIDER),
            "table": lambda: TableKeystore(direct.dsn),
        }
        for name, make in keystores.items():
            print(f"\nkeystore: {name}, milliseconds")
            asyncio.run(keystore_cost(make, args.fields))


def value_cost(algorithm: str, rounds: int) -> tuple[float, float]:
    """Microseconds to seal and to open one value."""
    key = FieldKey(b"key1", "t.c", algorithm, 1, KeyState.ACTIVE, os.urandom(SUITES[algorithm].key_bytes))
    seal, open_ = key.ascii_sealer("text"), key.ascii_opener("text")
    sealed = seal(VALUE)
    return least(lambda: seal(VALUE), rounds), least(lambda: open_(sealed), rounds)


def least(work: Callable[[], object], rounds: int) -> float:
    """Microseconds of one call, in the quickest of several rounds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(VALUES):
            work()
        times.append(time.process_time() - start)
    return min(times) / VALUES * 1e6


async def keystore_cost(make: Callable[[], Keystore], fields: int) -> None:
    """Print what happens rarely: a key is made, opened, rotated; and a process starts with many of them."""
    manager = KeyManager(make(), PROVIDER)
    await manager.create()
    first = needs(1)
    await timed("a field's first key, with its table's", lambda: manager.ensure(first))
    await timed("a field whose key is open", lambda: manager.ensure(first))
    every = needs(fields)
    await timed(
        f"the keys of {fields} fields in {len({need.dek for need in every})} tables, made at once",
        lambda: manager.ensure(every),
    )
    await manager.close()
    before = psutil.Process().memory_info().rss
    starting = KeyManager(make(), PROVIDER)
    await timed(f"a start with {fields} keys", starting.refresh)
    print(f"{'  its memory, MiB':<64}{(psutil.Process().memory_info().rss - before) / 2**20:>10.1f}")
    await timed("  read again", starting.refresh)
    rotator = Rotator(make(), PROVIDER, settle=0)
    await timed(
        "  rotate a field's key", lambda: rotator.field(FieldVersion(first[0].name, first[0].algorithm))
    )
    await timed("  rotate a table's key", lambda: rotator.table(first[0].dek))
    await timed("  take over what was rotated", starting.refresh)
    await starting.close()


def needs(fields: int) -> list[KeyNeed]:
    """Twenty fields a table."""
    return [
        KeyNeed(f"public.t{number // 20}.c{number % 20}", f"public.t{number // 20}", "aes-256-gcm")
        for number in range(fields)
    ]


async def timed(name: str, work: Callable[[], Awaitable[Any]]) -> None:
    start = time.perf_counter()
    await work()
    print(f"{name:<64}{(time.perf_counter() - start) * 1e3:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
