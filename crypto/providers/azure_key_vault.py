"""The master key in Azure Key Vault or a Managed HSM: an RSA key (RSA-OAEP-256), or an AES key (AES-KW).

Key Vault binds no associated data, and anybody who knows the public half of an RSA key can wrap with it. So
what RSA has wrapped is signed by the same key, together with its context: a key that somebody else has
wrapped, or for another record, is refused. AES key wrap is proved by the key itself; the record's key hash
binds it.

The operations are asked for by their REST names. The SDK's CryptographyClient would do some of them here: for
an AES key, whose bytes it cannot have, with random ones of its own, so that nothing ever opened again.

    wrapped key = 01 · lp(version of the master key, wrapped, signature)        (docs/envelope.md)
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.rest import HttpRequest
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.keyvault.keys import KeyClient, KeyType, KeyVaultKey

from crypto.envelope import length_prefixed
from crypto.errors import ProviderError, ProviderUnavailable
from crypto.private_file import read_private
from crypto.providers.http_errors import no_answer
from crypto.providers.service import ServiceProvider
from crypto.providers.settings import AzureSettings
from crypto.secret import Secret

_FORMAT = b"\x01"
_SIGNED = b"pgveil v1 azure key vault"
_SIGNATURE = "PS256"

T = TypeVar("T")


def open_provider(settings: AzureSettings) -> ServiceProvider:
    """The provider; nothing is asked yet."""
    return ServiceProvider(AzureKeyVault(settings), settings.timeout)


class AzureKeyVault(Secret):
    """See crypto/providers/service.py."""

    def __init__(self, settings: AzureSettings) -> None:
        assert settings.key is not None
        url = urlsplit(settings.key)
        self._settings = settings
        self._vault = f"{url.scheme}://{url.netloc}"
        self._name = url.path.removeprefix("/keys/").strip("/")
        self._lock = threading.Lock()
        self._keys: KeyClient | None = None
        self._versions: dict[str, KeyVaultKey] = {}
        self.reference = f"azure-key-vault:{url.netloc}/{self._name}"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        master = self._ask(lambda keys: keys.get_key(self._name))
        number = str(master.properties.version)
        wrapped = _decoded(self._operate(number, "wrapkey", alg=self._algorithm(master), value=_encoded(key)))
        signature = b""
        if _signs(master):
            digest = _digest(number, wrapped, context)
            signature = _decoded(self._operate(number, "sign", alg=_SIGNATURE, value=digest))
        return _FORMAT + length_prefixed(number.encode(), wrapped, signature)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        number, key, signature = self._parts(wrapped)
        master = self._version(number)
        if _signs(master):
            digest, proof = _digest(number, key, context), _encoded(signature)
            if self._operate(number, "verify", alg=_SIGNATURE, digest=digest, value=proof) is not True:
                raise self._altered()
        return _decoded(self._operate(number, "unwrapkey", alg=self._algorithm(master), value=_encoded(key)))

    def rewrap(self, wrapped: bytes, context: bytes) -> bytes:
        return self.wrap(self.unwrap(wrapped, context), context)

    def rotate(self) -> None:
        self._ask(lambda keys: keys.rotate_key(self._name))

    def describe(self) -> Mapping[str, str]:
        key = self._ask(lambda keys: keys.get_key(self._name))
        made, until = key.properties.created_on, key.properties.expires_on
        return {
            "type": KeyType(key.key_type).value,
            "version": str(key.properties.version),
            **({"made": made.isoformat(timespec="seconds")} if made else {}),
            **({"expires": until.isoformat(timespec="seconds")} if until else {}),
        }

    def close(self) -> None:
        with self._lock:
            if self._keys is not None:
                self._keys.close()
            self._keys = None

    def _version(self, number: str) -> KeyVaultKey:
        """A version of the key; which kind it is of never changes."""
        if (known := self._versions.get(number)) is None:
            known = self._versions[number] = self._ask(lambda keys: keys.get_key(self._name, number))
        return known

    def _parts(self, wrapped: bytes) -> tuple[str, bytes, bytes]:
        """Version, wrapped key and signature. Raises ProviderError."""
        parts, rest = [], wrapped[1:]
        while rest:
            length = int.from_bytes(rest[:2])
            parts.append(rest[2 : 2 + length])
            rest = rest[2 + length :]
        if len(parts) != 3 or _FORMAT + length_prefixed(*parts) != wrapped or not parts[0].isalnum():
            raise self._altered()
        return parts[0].decode("ascii"), parts[1], parts[2]

    def _altered(self) -> ProviderError:
        return ProviderError(
            f"{self.reference}: it was altered, or wrapped by another key or for another record"
        )

    def _algorithm(self, key: KeyVaultKey) -> str:
        if _signs(key):
            return "RSA-OAEP-256"
        if key.key_type in (KeyType.oct, KeyType.oct_hsm):
            return "A256KW"
        raise ProviderError(f"{self.reference}: a key of an elliptic curve does not wrap")

    def _operate(self, number: str, verb: str, **fields: str) -> Any:
        """What an operation of a version of the key results in."""

        def post(keys: KeyClient) -> Any:
            response = keys.send_request(
                HttpRequest("POST", f"keys/{self._name}/{number}/{verb}", json=fields)
            )
            response.raise_for_status()
            return response.json()["value"]

        return self._ask(post)

    def _ask(self, work: Callable[[KeyClient], T]) -> T:
        """What Key Vault answers. Raises ProviderError, ProviderUnavailable."""
        try:
            try:
                return work(self._connected())
            except ClientAuthenticationError:
                self.close()  # perhaps the token was taken back
            return work(self._connected())
        except ClientAuthenticationError as error:
            raise ProviderError(f"{self.reference}: its login was refused ({type(error).__name__})") from None
        except HttpResponseError as error:
            raise self._refused(error) from None
        except (ServiceRequestError, ServiceResponseError, OSError) as error:
            raise no_answer(self.reference, error) from None
        except AzureError as error:
            raise ProviderError(f"{self.reference}: cannot be used ({type(error).__name__})") from None

    def _refused(self, error: HttpResponseError) -> ProviderError:
        status = error.status_code or 500
        if status in (408, 429) or status >= 500:
            return ProviderUnavailable(f"{self.reference}: status {status}")
        if status == 400:
            return self._altered()
        if status == 401:
            return ProviderError(f"{self.reference}: its login was refused")
        if status == 404:
            return ProviderError(f"{self.reference}: there is no such key, or no such version of it")
        return ProviderError(f"{self.reference}: not allowed ({_code(error) or f'status {status}'})")

    def _connected(self) -> KeyClient:
        with self._lock:
            if self._keys is None:
                self._keys = KeyClient(self._vault, self._login(), **self._options())
            return self._keys

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "connection_timeout": settings.timeout,
            "read_timeout": settings.timeout,
            "retry_total": 0,  # crypto/providers/resilient.py has its own
            **({"connection_verify": str(settings.ca)} if settings.ca else {}),
        }

    def _login(self) -> TokenCredential:
        settings, options = self._settings, self._options()
        tenant, client = settings.tenant or "", settings.client_id or ""
        if settings.client_secret_file is not None:
            secret = read_private(settings.client_secret_file).decode("utf-8", "replace").strip()
            return ClientSecretCredential(tenant, client, secret, **options)
        if settings.certificate is not None:
            pem = read_private(settings.certificate)
            return CertificateCredential(tenant, client, certificate_data=pem, **options)
        if "AZURE_FEDERATED_TOKEN_FILE" in os.environ:  # what AKS puts into a pod with a workload identity
            return WorkloadIdentityCredential(**options)
        return ManagedIdentityCredential(client_id=settings.client_id, **options)


def _signs(key: KeyVaultKey) -> bool:
    return key.key_type in (KeyType.rsa, KeyType.rsa_hsm)


def _code(error: HttpResponseError) -> str | None:
    """The innermost code of an error's body; never its message."""
    if error.response is None:
        return None
    try:
        told = json.loads(error.response.text())["error"]
        return str((told.get("innererror") or told)["code"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _digest(number: str, wrapped: bytes, context: bytes) -> str:
    return _encoded(hashlib.sha256(length_prefixed(_SIGNED, number.encode(), wrapped, context)).digest())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
