"""`pgveil keys init`: makes the master key, unless there is one, and the keystore."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from crypto.acquaintance import compare
from crypto.errors import KeystoreError, KeystoreUnavailable, ProviderError
from crypto.keyring import Keyring
from crypto.keystore_table import TableKeystore
from crypto.manager import KeyManager
from crypto.private_file import passphrase_from
from crypto.providers import Creatable, Provider, local
from proxy.commands.audited import audited
from proxy.commands.holder import open_holder
from proxy.commands.passphrases import new_passphrase
from proxy.config import Config, Keys, load
from proxy.key_fingerprints import Unreadable
from proxy.keys import key_fingerprints

DONE, FOUND = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sealed",
        action="store_true",
        help="seal a new master key with a passphrase, from keys.local.passphrase_file or the terminal",
    )
    parser.add_argument(
        "--create-secret",
        action="store_true",
        help="make the master key in Vault's KV engine, where there is no secret yet",
    )
    parser.add_argument(
        "--no-fingerprints",
        action="store_true",
        help="make no table in the maintenance database by which it remembers its keys",
    )


def run(args: argparse.Namespace) -> int:
    return asyncio.run(_init(load(args.config, os.environ), args))


async def _init(config: Config, args: argparse.Namespace) -> int:
    if config.keys.provider == "local":
        provider, master, made = await _local(config.keys, sealed=args.sealed)
    else:
        provider, master, made = await _service(config.keys, create_secret=args.create_secret)
    async with audited(config, provider, "keys init", create=True) as manager:
        remembered, doubt = (None, None) if args.no_fingerprints else await _remember(config, manager)
    print(f"master key  {master}")
    print(f"keystore    {manager.keystore.location}: ready")
    if remembered is not None:
        print(f"database    {remembered}")
    if made:
        print("Back up both, apart from each other: without them no protected value can be read again.")
    if doubt is not None:
        print(f"pgveil: {doubt}", file=sys.stderr)
    return DONE if doubt is None else FOUND


async def _local(keys: Keys, *, sealed: bool) -> tuple[Provider, str, bool]:
    """The provider of a key file, what became of the file, and whether it is new."""
    file = keys.local.file
    if file.exists():
        return open_holder(keys), f"{file}: exists already, left as it is", False
    await _refuse_orphan(keys, f"{file}: there is no such file")
    return _create_master_key(keys, sealed=sealed), f"{file}: made", True


async def _service(keys: Keys, *, create_secret: bool) -> tuple[Provider, str, bool]:
    """The provider of a key service, once it has wrapped and unwrapped a key; whether its secret is new."""
    provider = open_holder(keys)
    try:
        if create_secret:
            if not isinstance(provider, Creatable):
                raise ProviderError("--create-secret is for keys.vault.engine kv")
            await _refuse_orphan(keys, "a new secret was asked for")
            await provider.create()
        await provider.health()
    except BaseException:
        await provider.close()
        raise
    return (
        provider,
        f"{provider.reference}: {'made' if create_secret else 'wraps and unwraps'}",
        create_secret,
    )


async def _remember(config: Config, manager: KeyManager) -> tuple[str, str | None]:
    """Let the database remember its keys, if the login may; those that it does not know yet, too.

    Returns what became of that, and what is wrong where it remembers other keys.
    """
    table = key_fingerprints(config)
    try:
        await table.create()
        remembered = await table.read()
        records = await manager.keystore.read()
        found = compare(records, Keyring(), remembered or ())
        if (refusal := table.refusal(found, manager.keystore.location)) is not None:
            return f"{table}: left as it is", str(refusal)
        await table.enter(records)
    except Unreadable as error:
        return f"does not remember its keys, and need not ({error.reason})", None
    return f"{table}: ready", None


async def _refuse_orphan(keys: Keys, why: str) -> None:
    """Make no new master key beside a keystore of another one, which has to be found again instead."""
    address = keys.keystore
    if address.url is not None:
        try:
            url, tls = address.url.url(), address.url.tls_context()
            orphan = bool(await TableKeystore(url, address.schema, tls=tls).read())
        except KeystoreUnavailable:
            raise
        except KeystoreError:
            orphan = False  # not set up yet
    else:
        orphan = address.file is not None and address.file.exists()
    if orphan:
        raise KeystoreError(
            f"{why}, but the keystore exists: restore its master key;"
            " if that is lost, put the keystore away, and import an export of its keys into a new one"
        )


def _create_master_key(keys: Keys, *, sealed: bool) -> Provider:
    passphrase = None
    if keys.local.passphrase_file is not None:
        passphrase = passphrase_from(keys.local.passphrase_file)
    elif sealed:
        passphrase = new_passphrase
    keys.local.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return local.create(keys.local.file, passphrase)
