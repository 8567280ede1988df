"""Rotation of a master key in a file: file and keystore change in turns, and each moment is sound.

    rotate    the next key into the file · every DEK wrapped by it, too · the next key is the one that wraps
    finish    the previous key's wrappings away · the previous key out of the file

Running processes read the file anew by themselves. Each of the two finishes what was killed half-way.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from crypto import master_key_file
from crypto.events import Observer, unobserved
from crypto.keystore import Keystore
from crypto.master_rotation import conclude, exchange
from crypto.private_file import Passphrase
from crypto.providers import Provider, local


async def rotate(
    path: Path,
    keystore: Keystore,
    old: Provider,
    passphrase: Passphrase | None = None,
    *,
    observe: Observer = unobserved,
) -> Provider:
    """Let a new key take the place of `old`, the file's own; returns its provider.

    Raises ProviderError where an earlier rotation is not finished, KeystoreError.
    """
    await asyncio.to_thread(master_key_file.add_next, path, passphrase)
    new = await asyncio.to_thread(local.load_next, path, passphrase)
    assert new is not None
    await exchange(keystore, old, new, observe=observe)
    await asyncio.to_thread(master_key_file.activate_next, path)
    return new


async def finish(
    path: Path,
    keystore: Keystore,
    new: Provider,
    passphrase: Passphrase | None = None,
    *,
    observe: Observer = unobserved,
) -> int:
    """Take the previous key away, from keystore and file; returns how many DEKs are under `new` alone.

    For when every process has followed. Raises ProviderError, KeystoreError.
    """
    old = await asyncio.to_thread(local.load_previous, path, passphrase)
    count = await conclude(keystore, new, old, observe=observe)
    await asyncio.to_thread(master_key_file.drop_previous, path)
    return count
