"""The master key in a secret of Vault's KV engine, version 2: read once, then held in this process.

Simpler than transit, and weaker: whoever may read the secret has the key. It can be sealed with a passphrase,
as a master key file can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from crypto import master_key_file
from crypto.errors import ProviderError, ProviderUnavailable
from crypto.private_file import Passphrase, passphrase_from
from crypto.providers.local import LocalProvider
from crypto.providers.resilient import Calls
from crypto.providers.settings import VaultSettings
from crypto.providers.vault_session import VaultSession
from crypto.secret import Secret


# Errors of an attribute, too: isinstance() with a Protocol asks (Python 3.11) whether it is there.
class _Unread(ProviderUnavailable, AttributeError):
    """The reference is not known yet."""


class _Refused(ProviderError, AttributeError):
    """The reference cannot be known."""


class KvProvider(Secret):
    """Wraps in this process. Until the key could be read once, its reference is not known either."""

    def __init__(self, settings: VaultSettings) -> None:
        assert settings.path is not None
        self._path = settings.path
        self._mount = settings.mount or "secret"
        self._place = "/".join(filter(None, (settings.namespace, self._mount, self._path)))
        self._passphrase: Passphrase | None = (
            passphrase_from(settings.passphrase_file) if settings.passphrase_file else None
        )
        self._session = VaultSession(settings)
        self._calls = Calls(f"vault-kv:{self._place}", settings.timeout, connected=self._session.close)
        self._local: LocalProvider | None = None
        self._failure: ProviderError | None = None

    @property
    def reference(self) -> str:
        """Raises ProviderError as long as the key could not be read."""
        if self._local is None:
            if isinstance(self._failure, ProviderUnavailable) or self._failure is None:
                raise _Unread(str(self._failure or f"vault-kv:{self._place}: has not been read yet"))
            raise _Refused(str(self._failure))
        return self._named(self._local)

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        return await (await self._opened()).wrap(key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return await (await self._opened()).unwrap(wrapped, context)

    async def refresh(self) -> None:
        """Read the key, if it could not be read before. It is not exchanged while the process runs."""
        try:
            await self._opened()
        except ProviderError as error:
            self._failure = error

    async def describe(self) -> Mapping[str, str]:
        data = (await self._calls.run(self._read))["metadata"]
        return {"engine": "kv", "version": str(data["version"]), "made": str(data["created_time"])}

    async def health(self) -> None:
        """Whether the secret can be read, and still is the key that is in use."""
        held, read = await self._opened(), await self._read_key()
        if held.reference != read.reference:
            raise ProviderError(f"vault-kv:{self._place}: holds another key by now: {self._named(read)}")

    async def create(self) -> None:
        """Make a master key and its secret. Raises ProviderError if there ever was a secret of this name."""
        fields = master_key_file.fields_of(master_key_file.new_key(), self._passphrase)
        await self._calls.run(
            lambda: self._session.call(lambda client: self._write(client, fields)), again=False
        )

    async def close(self) -> None:
        await self._calls.close()
        self._session.close()

    async def _opened(self) -> LocalProvider:
        if self._local is None:
            self._local = await self._read_key()
        return self._local

    async def _read_key(self) -> LocalProvider:
        fields = (await self._calls.run(self._read))["data"]
        key = await asyncio.to_thread(
            master_key_file.key_of, fields, f"vault-kv:{self._place}", self._passphrase
        )
        return LocalProvider(key)

    def _read(self) -> Mapping[str, Any]:
        found = self._session.call(
            lambda client: client.secrets.kv.v2.read_secret_version(
                path=self._path, mount_point=self._mount, raise_on_deleted_version=True
            )
        )
        data: Mapping[str, Any] = found["data"]
        return data

    def _write(self, client: Any, fields: Mapping[str, Any]) -> None:
        client.secrets.kv.v2.create_or_update_secret(
            path=self._path, secret=fields, cas=0, mount_point=self._mount
        )

    def _named(self, key: LocalProvider) -> str:
        return f"vault-kv:{self._place}:{key.reference.removeprefix('local:')}"
