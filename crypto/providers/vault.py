"""The master key in the transit engine of Vault or OpenBao: it never leaves it, and it has versions.

The identity of a wrapped key is associated data, which takes an AEAD key (aes256-gcm96 and its like).
Transit's own rewrap takes none, so that a key is unwrapped and wrapped to give it the newest version.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import hvac

from crypto.errors import ProviderError
from crypto.providers.service import ServiceProvider
from crypto.providers.settings import VaultSettings
from crypto.providers.vault_session import VaultSession
from crypto.secret import Secret

AEAD = ("aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305")


def open_provider(settings: VaultSettings) -> ServiceProvider:
    """The provider; nothing is asked yet."""
    transit = Transit(settings)
    return ServiceProvider(transit, settings.timeout, keep=transit.keep)


class Transit(Secret):
    """See crypto/providers/service.py."""

    def __init__(self, settings: VaultSettings) -> None:
        assert settings.key is not None
        self._key = settings.key
        self._mount = settings.mount or "transit"
        self._session = VaultSession(settings)
        self._proved = False
        self.reference = "vault:" + "/".join(filter(None, (settings.namespace, self._mount, self._key)))

    def wrap(self, key: bytes, context: bytes) -> bytes:
        self._prove()
        ciphertext = self._ask(
            lambda client, common: client.secrets.transit.encrypt_data(
                plaintext=_encoded(key), associated_data=_encoded(context), **common
            )
        )["ciphertext"]
        return str(ciphertext).encode("ascii")

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        try:
            ciphertext = wrapped.decode("ascii")
        except UnicodeDecodeError:
            raise ProviderError(f"{self.reference}: it was altered, or wrapped by another service") from None
        plaintext = self._ask(
            lambda client, common: client.secrets.transit.decrypt_data(
                ciphertext=ciphertext, associated_data=_encoded(context), **common
            )
        )["plaintext"]
        return base64.b64decode(plaintext, validate=True)

    def rewrap(self, wrapped: bytes, context: bytes) -> bytes:
        return self.wrap(self.unwrap(wrapped, context), context)

    def rotate(self) -> None:
        self._session.call(lambda client: client.secrets.transit.rotate_key(self._key, self._mount))

    def describe(self) -> Mapping[str, str]:
        key = self._read_key()
        versions = {int(number): made for number, made in key["keys"].items()}
        newest = versions.get(int(key["latest_version"]))
        return {
            "engine": "transit",
            "type": str(key["type"]),
            "version": str(key["latest_version"]),
            "oldest version that opens": str(key["min_decryption_version"]),
            **({"made": _time(newest)} if isinstance(newest, int) else {}),
        }

    def keep(self) -> float:
        return self._session.keep()

    def close(self) -> None:
        self._session.close()

    def _prove(self) -> None:
        """The key is there, and binds associated data. To encrypt with one that is not there can make it."""
        if not self._proved:
            type_ = self._read_key()["type"]
            if type_ not in AEAD:
                raise ProviderError(
                    f"{self.reference}: a key of type {type_} takes no associated data; make one of {AEAD[1]}"
                )
            self._proved = True

    def _read_key(self) -> Mapping[str, Any]:
        return self._ask(lambda client, common: client.secrets.transit.read_key(**common))

    def _ask(self, work: Callable[[hvac.Client, dict[str, str]], Any]) -> Mapping[str, Any]:
        common = {"name": self._key, "mount_point": self._mount}
        data: Mapping[str, Any] = self._session.call(lambda client: work(client, common))["data"]
        return data


def _encoded(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
